/**
 * The stores that the contract of ObjectStore is held against: the local folder and real S3 servers.
 * Each file that imports this has its own.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, expect, onTestFinished } from 'vitest'
import { BufferPool } from '../../src/base/buffer-pool.ts'
import { systemClock } from '../../src/base/clock.ts'
import { DeliveryError } from '../../src/destination.ts'
import type { ObjectReader, ObjectStore, PutObject } from '../../src/object-store.ts'
import { FolderObjectStore } from '../../src/objects/folder-object-store.ts'
import { S3ObjectStore } from '../../src/objects/s3-object-store.ts'
import type { S3ObjectStoreOptions } from '../../src/objects/s3-object-store.ts'
import { openSpool } from '../../src/objects/spool.ts'
import { startMoto } from '../servers/moto.ts'
import { startS3Server } from '../servers/s3-server.ts'
import type { S3Server } from '../servers/s3-server.ts'

export const BUCKET = `standpipe-${randomUUID()}`
export const MIB = 1024 * 1024
export const NOT_ABORTED = new AbortController().signal

const folder = await mkdtemp(join(tmpdir(), 'object-store-'))
export const [s3, moto] = [await startS3Server(), await startMoto()]
const servers = [s3, moto].filter((server) => server !== undefined)
afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

/** A store under test, and a way to look at what it holds that isn't the store's own. */
export interface Case {
  readonly name: string
  readonly store: ObjectStore & ObjectReader
  readonly read: (key: string) => Promise<Buffer>
}

export const folderCase: Case = {
  name: 'local folder',
  store: new FolderObjectStore({ root: join(folder, 'buckets'), clock: systemClock }),
  read: (key) => readFile(join(folder, 'buckets', BUCKET, key)),
}
export const s3Cases = await Promise.all(servers.map(s3Case))

export interface S3Case extends Case {
  readonly server: S3Server
  readonly client: S3Client
}

async function s3Case(server: S3Server): Promise<S3Case> {
  const { name, endpoint, region, credentials } = server
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const store = openStore(server)
  afterAll(async () => {
    client.destroy()
    await store.close()
  })
  return {
    name,
    server,
    client,
    store,
    async read(key) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }))
      return Buffer.from((await Body?.transformToByteArray()) ?? [])
    },
  }
}

export function openStore(
  options: Partial<S3ObjectStoreOptions> & { endpoint: string },
): S3ObjectStore {
  const { endpoint, region = 'us-east-1', requestTimeoutMs = 10_000 } = options
  const { credentials = { accessKeyId: 'id', secretAccessKey: 'secret' } } = options
  return new S3ObjectStore({
    endpoint,
    region,
    credentials,
    requestTimeoutMs,
    forcePathStyle: true,
  })
}

export function newKey(): string {
  return `logs/2026/11/21/12/${randomUUID()}.gz`
}

/** The same bytes for the same size. */
export function bytesOf(sizeBytes: number): Buffer {
  return Buffer.alloc(sizeBytes, 'seven b')
}

export async function objectOf(key: string, bytes: Buffer): Promise<PutObject> {
  const spool = openSpool({
    directory: join(folder, 'spool'),
    clock: systemClock,
    buffers: new BufferPool(),
    encrypt: false,
  })
  await spool.write(bytes)
  const content = await spool.finish()
  onTestFinished(() => content.dispose())
  const contentType = 'application/octet-stream'
  return { bucket: BUCKET, key, content, contentType, formerSha256s: [] }
}

export function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

export async function failureOf(promise: Promise<unknown>): Promise<DeliveryError> {
  const error = await outcomeOf(promise)
  expect(error).toBeInstanceOf(DeliveryError)
  return error as DeliveryError
}
