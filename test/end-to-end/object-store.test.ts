/**
 * The contract of ObjectStore, over the local folder and real S3 servers: AWS's rules as versitygw
 * keeps them, and moto's, which is laxer about who asks and echoes KMS keys.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import {
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
} from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { DeliveryError } from '../../src/destination.ts'
import type { OutputContent } from '../../src/destination.ts'
import { available } from '../clients/available.ts'
import { freePort } from '../servers/process.ts'
import {
  BUCKET,
  bytesOf,
  failureOf,
  folderCase,
  MIB,
  moto,
  newKey,
  NOT_ABORTED,
  objectOf,
  openStore,
  outcomeOf,
  s3,
  s3Cases,
} from './object-store-cases.ts'

test.runIf(available('S3 server (versitygw or SeaweedFS)', s3 !== undefined))('S3 is there', () => {
  expect(s3Cases[0]?.name).toBe(s3?.name)
})
test.runIf(available('moto server', moto !== undefined))('moto is there', () => {
  expect(s3Cases.at(-1)?.name).toBe('moto')
})

describe.each([folderCase, ...s3Cases])('$name', ({ store, read }) => {
  test('a new object has the bytes that were put', async () => {
    const key = newKey()
    await store.put(await objectOf(key, Buffer.from('records')), NOT_ABORTED)
    expect((await read(key)).toString()).toBe('records')
  })

  test('an empty object can be put', async () => {
    const key = newKey()
    await store.put(await objectOf(key, Buffer.alloc(0)), NOT_ABORTED)
    expect(await read(key)).toEqual(Buffer.alloc(0))
  })

  test.each([100, 20 * MIB])('repeating a put of %i equal bytes succeeds', async (sizeBytes) => {
    const object = await objectOf(newKey(), bytesOf(sizeBytes))
    await store.put(object, NOT_ABORTED)
    await store.put(object, NOT_ABORTED)
    expect((await read(object.key)).equals(bytesOf(sizeBytes))).toBe(true)
  })

  test.each([100, 20 * MIB])('other bytes do not replace %i bytes', async (sizeBytes) => {
    const key = newKey()
    const [bytes, others] = [bytesOf(sizeBytes), bytesOf(sizeBytes)]
    others[sizeBytes - 1] = 0xff
    await store.put(await objectOf(key, bytes), NOT_ABORTED)
    const failures = [
      await failureOf(store.put(await objectOf(key, others), NOT_ABORTED)),
      await failureOf(store.put(await objectOf(key, Buffer.from('shorter')), NOT_ABORTED)),
    ]
    const unequal = { errorCode: 'S3.PreconditionFailed', retryable: false, effect: 'unknown' }
    expect(failures).toMatchObject([unequal, unequal])
    expect((await read(key)).equals(bytes)).toBe(true)
  })

  test('bytes that the output had when it was frozen before count as the output', async () => {
    const former = await objectOf(newKey(), Buffer.from('as frozen before'))
    await store.put(former, NOT_ABORTED)
    const now = await objectOf(former.key, Buffer.from('as of now'))
    const formerSha256s = ['00', former.content.sha256]
    await store.put({ ...now, formerSha256s }, NOT_ABORTED)
    expect((await read(former.key)).toString()).toBe('as frozen before')
  })

  test('of 20 equal puts at once all succeed', async () => {
    const object = await objectOf(newKey(), bytesOf(100_000))
    await Promise.all(Array.from({ length: 20 }, () => store.put(object, NOT_ABORTED)))
    expect((await read(object.key)).equals(bytesOf(100_000))).toBe(true)
  })

  test('of 20 different puts at once one wins and the others are told', async () => {
    const key = newKey()
    const texts = Array.from({ length: 20 }, (_, index) => `writer ${index}`)
    const objects = await Promise.all(texts.map((text) => objectOf(key, Buffer.from(text))))
    const outcomes = await Promise.all(
      objects.map((object) => outcomeOf(store.put(object, NOT_ABORTED))),
    )
    const winners = texts.filter((_, index) => outcomes[index] === undefined)
    expect(winners).toEqual([(await read(key)).toString()])
    expect(outcomes.filter((outcome) => outcome instanceof DeliveryError)).toHaveLength(19)
  })

  test('a put that is aborted says so', async () => {
    const object = await objectOf(newKey(), bytesOf(100))
    const failure = await failureOf(store.put(object, AbortSignal.abort()))
    expect(failure).toMatchObject({ errorCode: 'S3.RequestAborted', retryable: true })
  })
})

describe.each(s3Cases)('$name', ({ store, server, client }) => {
  test('content type and encoding arrive', async () => {
    // Without a file extension, from which SeaweedFS would guess a type of its own.
    const key = randomUUID()
    const object = await objectOf(key, bytesOf(100))
    await store.put({ ...object, contentEncoding: 'gzip' }, NOT_ABORTED)
    const head = await client.send(new HeadObjectCommand({ Bucket: BUCKET, Key: key }))
    expect(head).toMatchObject({ ContentType: object.contentType, ContentEncoding: 'gzip' })
  })

  // SeaweedFS makes a bucket of every name.
  test.skipIf(server.name === 'SeaweedFS')('a missing bucket sets the brake', async () => {
    const object = await objectOf(newKey(), bytesOf(100))
    const bucket = `standpipe-${randomUUID()}`
    expect(await failureOf(store.put({ ...object, bucket }, NOT_ABORTED))).toMatchObject({
      errorCode: 'S3.NoSuchBucket',
      retryable: true,
      effect: 'none',
      brake: true,
    })
  })

  test('parts that an earlier attempt left behind are removed', async () => {
    const key = newKey()
    await client.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key: key }))
    await client.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key: `${key}-other` }))
    await store.put(await objectOf(key, bytesOf(20 * MIB)), NOT_ABORTED)
    const list = new ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix: key })
    const { Uploads = [] } = await client.send(list)
    expect(Uploads.map((upload) => upload.Key)).toEqual([`${key}-other`])
  })

  test('a large put that is aborted on its way ends at once and leaves no object', async () => {
    const controller = new AbortController()
    const object = await objectOf(newKey(), bytesOf(40 * MIB))
    const read = object.content.read.bind(object.content)
    const content: OutputContent = {
      ...object.content,
      read: (start, end) => {
        if (start > 0) controller.abort()
        return read(start, end)
      },
    }
    const failure = await failureOf(store.put({ ...object, content }, controller.signal))
    expect(failure.errorCode).toBe('S3.RequestAborted')
    const head = client.send(new HeadObjectCommand({ Bucket: BUCKET, Key: object.key }))
    await expect(head).rejects.toMatchObject({ $metadata: { httpStatusCode: 404 } })
  })

  test('parts of a put that failed are removed', async () => {
    const object = await objectOf(newKey(), bytesOf(20 * MIB))
    const content: OutputContent = {
      ...object.content,
      read: (start, end) =>
        start === 0 ? object.content.read(start, end) : Promise.reject(new Error('Disk is gone')),
    }
    const failure = await failureOf(store.put({ ...object, content }, NOT_ABORTED))
    expect(failure.message).toContain('Disk is gone')
    const list = new ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix: object.key })
    expect((await client.send(list)).Uploads ?? []).toEqual([])
  })

  // moto believes everybody.
  test.skipIf(server.name === 'moto')('a wrong secret sets the brake', async () => {
    const credentials = { ...server.credentials, secretAccessKey: 'wrong' }
    const stranger = openStore({ ...server, credentials })
    const object = await objectOf(newKey(), bytesOf(100))
    expect(await failureOf(stranger.put(object, NOT_ABORTED))).toMatchObject({
      errorCode: 'S3.SignatureDoesNotMatch',
      effect: 'none',
      brake: true,
    })
    await stranger.close()
  })
})

test.runIf(moto !== undefined)('a KMS key arrives', async () => {
  const kmsKeyArn = 'arn:aws:kms:us-east-1:000000000000:key/1a2b'
  const motoCase = s3Cases.at(-1)
  for (const sizeBytes of [100, 20 * MIB]) {
    const object = await objectOf(newKey(), bytesOf(sizeBytes))
    await motoCase?.store.put({ ...object, kmsKeyArn }, NOT_ABORTED)
    const head = await motoCase?.client.send(
      new HeadObjectCommand({ Bucket: BUCKET, Key: object.key }),
    )
    expect(head).toMatchObject({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: kmsKeyArn })
  }
})

test('nobody listening is a refusal without effect', async () => {
  const store = openStore({ endpoint: `http://127.0.0.1:${await freePort()}` })
  const object = await objectOf(newKey(), bytesOf(100))
  expect(await failureOf(store.put(object, NOT_ABORTED))).toMatchObject({
    errorCode: 'S3.ConnectionFailed',
    retryable: true,
    effect: 'none',
    brake: false,
  })
  await store.close()
})

test('a server that never answers is given up', async () => {
  await using server = await startSilentServer()
  const store = openStore({ endpoint: server.endpoint, requestTimeoutMs: 300 })
  const object = await objectOf(newKey(), bytesOf(100))
  expect(await failureOf(store.put(object, NOT_ABORTED))).toMatchObject({
    errorCode: 'S3.RequestTimeout',
    retryable: true,
    effect: 'unknown',
    brake: false,
  })
  await store.close()
})

test('a put to a server that never answers can be aborted', async () => {
  await using server = await startSilentServer()
  const store = openStore({ endpoint: server.endpoint })
  const controller = new AbortController()
  const failure = failureOf(store.put(await objectOf(newKey(), bytesOf(100)), controller.signal))
  await server.reached
  controller.abort()
  expect(await failure).toMatchObject({ errorCode: 'S3.RequestAborted', effect: 'unknown' })
  await store.close()
})

/** Takes connections and requests, and says nothing. */
async function startSilentServer() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const reached = once(server, 'connection').then(async ([socket]) => {
    await once(socket, 'data')
    return socket
  })
  return {
    endpoint: `http://127.0.0.1:${port}`,
    reached,
    async [Symbol.asyncDispose]() {
      const socket = await reached
      socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
