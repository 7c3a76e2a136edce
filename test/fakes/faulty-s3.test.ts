import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { FAULT_FREE, MISBEHAVING, drawFault } from './fault-plan.ts'
import { FaultyS3 } from './faulty-s3.ts'
import { SeededRandom } from './seeded-random.ts'

const Bucket = 'bucket'

function clientOf(s3: FaultyS3): S3Client {
  return new S3Client({
    endpoint: s3.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
}

test('a conditional put wins once, and the history shows what was written', async () => {
  await using s3 = await FaultyS3.start(new SeededRandom(1))
  const client = clientOf(s3)
  const put = (Body: string, condition: object) =>
    client.send(new PutObjectCommand({ Bucket, Key: 'a key/é', Body, ...condition }))

  await put('first', { IfNoneMatch: '*' })
  await expect(put('second', { IfNoneMatch: '*' })).rejects.toThrow('PreconditionFailed')
  expect(s3.bucket(Bucket).rewrittenKeys()).toEqual([])
  await put('third', {})
  expect(s3.bucket(Bucket).rewrittenKeys()).toEqual(['a key/é'])
  const { Contents } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'a ' }))
  expect(Contents?.map(({ Key, Size }) => ({ Key, Size }))).toEqual([{ Key: 'a key/é', Size: 5 }])
  client.destroy()
})

test('a streamed body arrives without its framing, with its headers', async () => {
  await using s3 = await FaultyS3.start(new SeededRandom(1))
  const client = clientOf(s3)
  const Body = Readable.from([Buffer.alloc(100_000, 'x'), Buffer.alloc(45, 'y')])
  const headers = { ContentLength: 100_045, ContentEncoding: 'gzip', Metadata: { batch: 'b1' } }
  await client.send(new PutObjectCommand({ Bucket, Key: 'streamed', Body, ...headers }))
  const found = await client.send(new GetObjectCommand({ Bucket, Key: 'streamed' }))
  expect(await found.Body?.transformToString()).toBe('x'.repeat(100_000) + 'y'.repeat(45))
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'streamed' }))
  expect(head).toMatchObject(headers)
  client.destroy()
})

test('parts become an object when the upload is completed', async () => {
  await using s3 = await FaultyS3.start(new SeededRandom(1))
  const client = clientOf(s3)
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'big' }))
  const Parts = await Promise.all(
    ['one, ', 'two'].map(async (Body, index) => {
      const PartNumber = index + 1
      const part = { Bucket, Key: 'big', UploadId, PartNumber, Body }
      return { PartNumber, ETag: (await client.send(new UploadPartCommand(part))).ETag }
    }),
  )
  const list = () => client.send(new ListMultipartUploadsCommand({ Bucket }))
  expect((await list()).Uploads?.map(({ Key }) => Key)).toEqual(['big'])
  const complete = { Bucket, Key: 'big', UploadId, MultipartUpload: { Parts } }
  await client.send(new CompleteMultipartUploadCommand(complete))
  expect((await list()).Uploads).toBeUndefined()
  expect(s3.bucket(Bucket).current('big').bytes.toString()).toBe('one, two')
  client.destroy()
})

test.each([
  { fault: 'slow-down', stored: false, error: 'SlowDown' },
  { fault: 'internal-error', stored: false, error: 'InternalError' },
  { fault: 'reset', stored: false, error: 'ECONNRESET' },
  { fault: 'hang', stored: false, error: 'aborted' },
  { fault: 'error-after', stored: true, error: 'InternalError' },
  { fault: 'reset-after', stored: true, error: 'ECONNRESET' },
  { fault: 'hang-after', stored: true, error: 'aborted' },
])('$fault fails the request; it is stored: $stored', async ({ fault, stored, error }) => {
  await using s3 = await FaultyS3.start(new SeededRandom(1))
  const client = clientOf(s3)
  s3.misbehave({ [fault]: 1 })
  const abortSignal = AbortSignal.timeout(500)
  const put = client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'b' }), { abortSignal })
  await expect(put).rejects.toThrow(error)
  s3.misbehave(FAULT_FREE)
  expect(s3.bucket(Bucket).versions.has('a')).toBe(stored)
  client.destroy()
})

test('the same seed plays the same faults, each of them now and then', () => {
  expect(play(7)).toEqual(play(7))
  expect(new Set(play(7))).toEqual(new Set([undefined, ...Object.keys(MISBEHAVING)]))
})

function play(seed: number): unknown[] {
  const random = new SeededRandom(seed)
  return Array.from({ length: 2_000 }, () => drawFault(MISBEHAVING, random))
}
