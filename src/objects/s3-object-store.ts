/**
 * Objects in S3 or a store that speaks its protocol. Each put is one attempt: the SDK's own retries
 * are off, because the engine retries.
 *
 * A put is conditional on the key not existing (`If-None-Match: *`). 412 says that there is an
 * object already; with the same bytes the put has succeeded, by an earlier attempt whose answer was
 * lost. Not every store knows the condition. What `#conditional` says of this one:
 *
 *   unknown      a store other than AWS before its first put. That put is sent twice; the answer to
 *                the second tells whether the condition holds (412) or is ignored (200).
 *   supported    the condition decides.
 *   unsupported  it was refused or ignored. The key is looked at first, then written without
 *                condition; a repeat between the two writes the same bytes again.
 */
import { createHash } from 'node:crypto'
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import type { HeadObjectCommandOutput, S3ClientConfig } from '@aws-sdk/client-s3'
import { silentLogger } from '../base/logger.ts'
import type { Logger } from '../base/logger.ts'
import { DeliveryError } from '../destination.ts'
import type {
  ListedObject,
  ObjectReader,
  ObjectStore,
  PutObject,
  StoredObject,
} from '../object-store.ts'
import { s3Failure, statusOf } from './s3-failure.ts'
import {
  abortUpload,
  completeUpload,
  createUpload,
  unfinishedUploads,
  uploadParts,
} from './s3-multipart.ts'
import type { MultipartUpload } from './s3-multipart.ts'

const MIB = 1024 * 1024
const REQUEST_TIMEOUT_MS = 60_000
const CONNECTION_TIMEOUT_MS = 5_000
const SOCKETS_MAX = 50
const SINGLE_PUT_BYTES_MAX = 16 * MIB

export interface S3ObjectStoreOptions {
  readonly region: string
  /** Absent: AWS's own endpoint of the region. */
  readonly endpoint?: string
  /** Buckets as the first part of the path, which is what most other stores want. */
  readonly forcePathStyle?: boolean
  /** Absent: AWS's standard chain (environment, profile, web identity, instance role). */
  readonly credentials?: NonNullable<S3ClientConfig['credentials']>
  /**
   * Sends the ACL `bucket-owner-full-control`, as Firehose does. Off by default: buckets refuse ACLs
   * unless they were set up for them, and many other stores refuse them always.
   */
  readonly bucketOwnerFullControl?: boolean
  /** For each request, default 60 s. */
  readonly requestTimeoutMs?: number
  /** Larger objects are sent in parts, default 16 MiB. */
  readonly singlePutBytesMax?: number
  readonly logger?: Logger
}

export class S3ObjectStore implements ObjectStore, ObjectReader {
  readonly description: string
  readonly #client: S3Client
  readonly #singlePutBytesMax: number
  readonly #acl: { readonly ACL?: 'bucket-owner-full-control' }
  readonly #logger: Logger
  #conditional: 'unknown' | 'supported' | 'unsupported'

  constructor(options: S3ObjectStoreOptions) {
    this.description = options.endpoint ?? `S3 in ${options.region}`
    this.#client = new S3Client(clientConfiguration(options))
    this.#singlePutBytesMax = options.singlePutBytesMax ?? SINGLE_PUT_BYTES_MAX
    this.#acl = options.bucketOwnerFullControl === true ? { ACL: 'bucket-owner-full-control' } : {}
    this.#logger = options.logger ?? silentLogger
    this.#conditional = options.endpoint === undefined ? 'supported' : 'unknown'
  }

  async put(object: PutObject, signal: AbortSignal): Promise<void> {
    try {
      if (this.#conditional === 'unsupported') await this.#putUnconditionally(object, signal)
      else await this.#putConditionally(object, signal)
    } catch (error) {
      throw s3Failure(`put ${urlOf(object)}`, error, signal)
    }
  }

  async *list(bucket: string, prefix: string, signal: AbortSignal): AsyncGenerator<ListedObject> {
    let after: string | undefined
    do {
      const command = new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        ContinuationToken: after,
      })
      const page = await this.#client
        .send(command, { abortSignal: signal })
        .catch((error: unknown) => {
          throw s3Failure(`list s3://${bucket}/${prefix}`, error, signal)
        })
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        if (Key === undefined) continue
        const lastModifiedMs = LastModified?.getTime() ?? 0
        yield { key: Key, sizeBytes: Size ?? 0, lastModifiedMs }
      }
      after = page.NextContinuationToken
    } while (after !== undefined)
  }

  async get(bucket: string, key: string, signal: AbortSignal): Promise<StoredObject> {
    const failure = (error: unknown): DeliveryError =>
      s3Failure(`get ${urlOf({ bucket, key })}`, error, signal)
    try {
      const command = new GetObjectCommand({ Bucket: bucket, Key: key })
      const { Body, ContentEncoding } = await this.#client.send(command, { abortSignal: signal })
      return {
        ...(ContentEncoding !== undefined && { contentEncoding: ContentEncoding }),
        bytes: bodyOf(Body as AsyncIterable<Uint8Array>, failure),
      }
    } catch (error) {
      throw failure(error)
    }
  }

  close(): Promise<void> {
    this.#client.destroy()
    return Promise.resolve()
  }

  async #putConditionally(object: PutObject, signal: AbortSignal): Promise<void> {
    try {
      await this.#write(object, true, signal)
    } catch (error) {
      const status = statusOf(error)
      if (status === 412) {
        this.#conditional = 'supported'
        await this.#expectHeld(object, signal)
      } else if (this.#conditional === 'unknown' && (status === 400 || status === 501)) {
        await this.#putUnconditionally(object, signal)
        this.#learnUnsupported('refuses')
      } else {
        throw error
      }
      return
    }
    if (this.#conditional === 'unknown') await this.#probe(object, signal)
  }

  async #putUnconditionally(object: PutObject, signal: AbortSignal): Promise<void> {
    if (!(await this.#holds(object, signal))) await this.#write(object, false, signal)
  }

  /** The object was written a moment ago; whatever comes of writing it again, it is there. */
  async #probe(object: PutObject, signal: AbortSignal): Promise<void> {
    if (object.content.sizeBytes > this.#singlePutBytesMax) return
    try {
      await this.#writeWhole(object, true, signal)
      this.#learnUnsupported('ignores')
    } catch (error) {
      if (statusOf(error) === 412) this.#conditional = 'supported'
      else this.#logger.debug({ error }, 'Conditional puts not probed; the next put tries again.')
    }
  }

  #learnUnsupported(verb: 'refuses' | 'ignores'): void {
    this.#conditional = 'unsupported'
    this.#logger.warn(
      { store: this.description },
      `The store ${verb} conditional puts; keys are looked at before they are written.`,
    )
  }

  async #write(object: PutObject, conditional: boolean, signal: AbortSignal): Promise<void> {
    if (object.content.sizeBytes <= this.#singlePutBytesMax) {
      await this.#writeWhole(object, conditional, signal)
    } else {
      await this.#writeInParts(object, conditional, signal)
    }
  }

  async #writeWhole(object: PutObject, conditional: boolean, signal: AbortSignal): Promise<void> {
    const { content } = object
    const command = new PutObjectCommand({
      ...this.#objectInput(object),
      Body: await content.read(0, content.sizeBytes),
      // Known since the content was spooled; the store verifies it, and tells it on HEAD.
      ChecksumSHA256: Buffer.from(content.sha256, 'hex').toString('base64'),
      ...(conditional ? { IfNoneMatch: '*' } : {}),
    })
    const { ETag } = await this.#client.send(command, { abortSignal: signal })
    // A proxy's idea of success is not S3's.
    if (ETag === undefined) throw new Error('The answer has no ETag')
  }

  async #writeInParts(object: PutObject, conditional: boolean, signal: AbortSignal): Promise<void> {
    await this.#abortUnfinished(object, signal)
    const upload = await createUpload(this.#client, this.#objectInput(object), signal)
    try {
      const parts = await uploadParts(upload, object.content, signal)
      await completeUpload(upload, parts, conditional, signal)
    } catch (error) {
      await this.#giveUp(upload, signal)
      throw error
    }
  }

  /** Earlier attempts at the same object may have died with parts uploaded. */
  async #abortUnfinished({ bucket, key }: PutObject, signal: AbortSignal): Promise<void> {
    try {
      const uploads = await unfinishedUploads(this.#client, bucket, key, signal)
      for (const upload of uploads) await this.#giveUp(upload, signal)
    } catch (error) {
      this.#logger.debug({ error, bucket, key }, 'Unfinished uploads not listed; they may remain.')
    }
  }

  async #giveUp(upload: MultipartUpload, signal: AbortSignal): Promise<void> {
    const { bucket, key } = upload
    await abortUpload(upload, signal).catch((error: unknown) => {
      this.#logger.debug({ error, bucket, key }, 'Upload not aborted; the next attempt takes it.')
    })
  }

  /** After a 412. Something is there, so that no failure from here on is without effect. */
  async #expectHeld(object: PutObject, signal: AbortSignal): Promise<void> {
    try {
      if (await this.#holds(object, signal)) return
    } catch (error) {
      const failure = s3Failure(`compare ${urlOf(object)}`, error, signal)
      const { errorCode, message, retryable, brake } = failure
      const options = { retryable, effect: 'unknown', brake, cause: error } as const
      throw new DeliveryError(errorCode, message, options)
    }
    throw new DeliveryError(
      'S3.ConditionalRequestConflict',
      `Cannot put ${urlOf(object)}: it was there and is gone again`,
      { retryable: true, effect: 'unknown' },
    )
  }

  /**
   * Whether the key exists, with the same bytes.
   * @throws DeliveryError when it exists with other bytes
   */
  async #holds(object: PutObject, signal: AbortSignal): Promise<boolean> {
    const { bucket, key, content, formerSha256s } = object
    const command = new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' })
    let head
    try {
      head = await this.#client.send(command, { abortSignal: signal })
    } catch (error) {
      if (statusOf(error) === 404) return false
      throw error
    }
    const sameSize = head.ContentLength === content.sizeBytes
    if (sameSize || formerSha256s.length > 0) {
      const sha256 = wholeSha256(head) ?? (await this.#readSha256(bucket, key, signal))
      if (sha256 === content.sha256 || formerSha256s.includes(sha256)) return true
    }
    throw new DeliveryError(
      'S3.PreconditionFailed',
      `Cannot put ${urlOf(object)}: another object is there`,
      { retryable: false, effect: 'unknown' },
    )
  }

  async #readSha256(bucket: string, key: string, signal: AbortSignal): Promise<string> {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key })
    const { Body } = await this.#client.send(command, { abortSignal: signal })
    const hash = createHash('sha256')
    for await (const bytes of Body as AsyncIterable<Uint8Array>) hash.update(bytes)
    return hash.digest('hex')
  }

  #objectInput({ bucket, key, contentType, contentEncoding, kmsKeyArn }: PutObject) {
    return {
      Bucket: bucket,
      Key: key,
      ContentType: contentType,
      ...this.#acl,
      ...(contentEncoding === undefined ? {} : { ContentEncoding: contentEncoding }),
      ...(kmsKeyArn === undefined
        ? {}
        : { ServerSideEncryption: 'aws:kms' as const, SSEKMSKeyId: kmsKeyArn }),
    }
  }
}

async function* bodyOf(
  body: AsyncIterable<Uint8Array>,
  failure: (error: unknown) => DeliveryError,
): AsyncGenerator<Buffer> {
  try {
    for await (const { buffer, byteOffset, byteLength } of body) {
      yield Buffer.from(buffer, byteOffset, byteLength)
    }
  } catch (error) {
    throw failure(error)
  }
}

function urlOf({ bucket, key }: Pick<PutObject, 'bucket' | 'key'>): string {
  return `s3://${bucket}/${key}`
}

/** In hex. An object of parts has at most a checksum of checksums, which says nothing to us. */
function wholeSha256({
  ChecksumSHA256,
  ChecksumType,
}: HeadObjectCommandOutput): string | undefined {
  if (ChecksumSHA256 === undefined || ChecksumType === 'COMPOSITE') return undefined
  if (ChecksumSHA256.includes('-')) return undefined
  return Buffer.from(ChecksumSHA256, 'base64').toString('hex')
}

function clientConfiguration(options: S3ObjectStoreOptions): S3ClientConfig {
  const requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS
  const agent = { keepAlive: true, maxSockets: SOCKETS_MAX }
  return {
    region: options.region,
    forcePathStyle: options.forcePathStyle ?? false,
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    maxAttempts: 1,
    // Checksums are ours to send and to check.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Waiting for "100 Continue" would cost a fresh connection for each large put.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true,
      // For a body that stops coming after its headers.
      socketTimeout: requestTimeoutMs,
      httpAgent: agent,
      httpsAgent: agent,
    },
  }
}
