import { crc32 } from 'node:zlib'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { CompletedPart, CreateMultipartUploadCommandInput, S3Client } from '@aws-sdk/client-s3'
import type { OutputContent } from '../destination.ts'

const MIB = 1024 * 1024
const PART_BYTES_MIN = 8 * MIB
const PARTS_MAX = 10_000
/** Parts on their way at a time; each is held in memory. */
const CONCURRENCY = 3

export interface MultipartUpload {
  readonly client: S3Client
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
}

/** Begins an upload whose parts and object carry CRC32 checksums. */
export async function createUpload(
  client: S3Client,
  input: CreateMultipartUploadCommandInput & { Bucket: string; Key: string },
  signal: AbortSignal,
): Promise<MultipartUpload> {
  // Without the algorithm named here, S3 and versitygw refuse checksums at completion.
  const command = new CreateMultipartUploadCommand({ ...input, ChecksumAlgorithm: 'CRC32' })
  const { UploadId } = await client.send(command, { abortSignal: signal })
  if (UploadId === undefined) throw new Error('The store gave no UploadId')
  return { client, bucket: input.Bucket, key: input.Key, uploadId: UploadId }
}

/** Uploads all parts, a few at a time. The first failure ends the others and is thrown. */
export async function uploadParts(
  upload: MultipartUpload,
  content: OutputContent,
  signal: AbortSignal,
): Promise<CompletedPart[]> {
  const partBytes = Math.max(PART_BYTES_MIN, Math.ceil(content.sizeBytes / PARTS_MAX))
  const partCount = Math.ceil(content.sizeBytes / partBytes)
  const parts: CompletedPart[] = []
  const failed = new AbortController()
  const stop = AbortSignal.any([signal, failed.signal])
  let nextIndex = 0
  async function lane(): Promise<void> {
    while (nextIndex < partCount && !stop.aborted) {
      const index = nextIndex
      nextIndex += 1
      const start = index * partBytes
      const body = await content.read(start, Math.min(start + partBytes, content.sizeBytes))
      parts[index] = await uploadPart(upload, index + 1, body, stop)
    }
  }
  let failure: { readonly error: unknown } | undefined
  const lanes = Array.from({ length: CONCURRENCY }, async () => {
    await lane().catch((error: unknown) => {
      failure ??= { error }
      failed.abort()
    })
  })
  await Promise.all(lanes)
  if (failure !== undefined) throw failure.error
  signal.throwIfAborted()
  return parts
}

async function uploadPart(
  { client, bucket, key, uploadId }: MultipartUpload,
  partNumber: number,
  body: Buffer,
  signal: AbortSignal,
): Promise<CompletedPart> {
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(body))
  const ChecksumCRC32 = checksum.toString('base64')
  const command = new UploadPartCommand({
    Bucket: bucket,
    Key: key,
    UploadId: uploadId,
    PartNumber: partNumber,
    Body: body,
    ChecksumCRC32,
  })
  const { ETag } = await client.send(command, { abortSignal: signal })
  return { PartNumber: partNumber, ETag, ChecksumCRC32 }
}

/** Makes the object of its parts, if `conditional` only where the key doesn't exist yet. */
export async function completeUpload(
  { client, bucket, key, uploadId }: MultipartUpload,
  parts: CompletedPart[],
  conditional: boolean,
  signal: AbortSignal,
): Promise<void> {
  const command = new CompleteMultipartUploadCommand({
    Bucket: bucket,
    Key: key,
    UploadId: uploadId,
    MultipartUpload: { Parts: parts },
    ...(conditional ? { IfNoneMatch: '*' } : {}),
  })
  const { ETag } = await client.send(command, { abortSignal: signal })
  if (ETag === undefined) throw new Error('The answer has no ETag')
}

/** Gives the parts up, which the store keeps (and AWS charges for) otherwise. */
export async function abortUpload(
  { client, bucket, key, uploadId }: MultipartUpload,
  signal: AbortSignal,
): Promise<void> {
  const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId })
  await client.send(command, { abortSignal: signal })
}

/** Uploads of exactly this key that were begun and neither completed nor aborted. */
export async function unfinishedUploads(
  client: S3Client,
  bucket: string,
  key: string,
  signal: AbortSignal,
): Promise<MultipartUpload[]> {
  const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: key })
  const { Uploads = [] } = await client.send(command, { abortSignal: signal })
  return Uploads.flatMap(({ Key, UploadId }) =>
    Key === key && UploadId !== undefined ? [{ client, bucket, key, uploadId: UploadId }] : [],
  )
}
