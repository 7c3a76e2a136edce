import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BufferPool } from '../base/buffer-pool.ts'
import { systemClock } from '../base/clock.ts'
import { DeliveryError } from '../destination.ts'
import { folderFailure, FolderObjectStore, sweepPartialObjects } from './folder-object-store.ts'
import { openSpool } from './spool.ts'

const NOT_ABORTED = new AbortController().signal

let parent: string
let root: string
let store: FolderObjectStore

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'folder-store-'))
  root = join(parent, 'data', 'buckets')
  store = new FolderObjectStore({ root, clock: systemClock })
})
afterEach(async () => {
  await store.close()
  await rm(parent, { recursive: true })
})

test('an object is a file under its bucket and key, and nothing else remains', async () => {
  await put('logs/2026/a.gz', 'records')
  expect((await readFile(join(root, 'bucket/logs/2026/a.gz'))).toString()).toBe('records')
  expect(await readdir(join(root, '.partial'))).toEqual([])
})

test('a folder that was removed in between is made again by the next attempt', async () => {
  await put('logs/a', 'one')
  await rm(root, { recursive: true })
  expect(await failureOf(put('logs/b', 'two'))).toMatchObject({ retryable: true })
  await put('logs/b', 'two')
  expect((await readFile(join(root, 'bucket/logs/b'))).toString()).toBe('two')
})

test('a key that is a folder of another is refused, either way', async () => {
  await put('a', 'object')
  await put('b/c', 'object')
  expect(await failureOf(put('a/b', 'object'))).toMatchObject({
    errorCode: 'S3.InvalidObjectName',
    effect: 'none',
    brake: true,
  })
  expect(await failureOf(put('b', 'object'))).toMatchObject({
    errorCode: 'S3.InvalidObjectState',
    effect: 'unknown',
    brake: true,
  })
})

test('a segment too long for a file name is refused', async () => {
  expect(await failureOf(put(`logs/${'x'.repeat(256)}`, 'object'))).toMatchObject({
    errorCode: 'S3.KeyTooLongError',
    effect: 'none',
    brake: true,
  })
})

test('an object that is to be encrypted by KMS is refused', async () => {
  const kmsKeyArn = 'arn:aws:kms:us-east-1:000000000000:key/1'
  expect(await failureOf(put('a', 'object', { kmsKeyArn }))).toMatchObject({
    errorCode: 'S3.KMS.NotFoundException',
    effect: 'none',
    brake: true,
  })
})

test('an aborted put leaves nothing', async () => {
  const failure = await failureOf(put('a', 'object', {}, AbortSignal.abort()))
  expect(failure).toMatchObject({ errorCode: 'S3.RequestAborted', retryable: true })
  expect(await readdir(join(root, 'bucket'))).toEqual([])
  expect(await readdir(join(root, '.partial'))).toEqual([])
})

test.each([
  ['ENOSPC', { errorCode: 'S3.InsufficientStorage', effect: 'unknown', brake: false }],
  ['EDQUOT', { errorCode: 'S3.InsufficientStorage', effect: 'unknown', brake: false }],
  ['EROFS', { errorCode: 'S3.AccessDenied', effect: 'none', brake: true }],
  ['EIO', { errorCode: 'S3.InternalError', effect: 'unknown', brake: false }],
])('%s is classified', (code, classification) => {
  const failure = folderFailure('put', Object.assign(new Error(code), { code }), NOT_ABORTED)
  expect(failure).toMatchObject({ ...classification, retryable: true })
})

test('sweeping removes what was about to be written, and no object', async () => {
  await put('a', 'object')
  await mkdir(join(root, '.partial'), { recursive: true })
  await writeFile(join(root, '.partial', 'left-over'), 'half')
  await sweepPartialObjects(root)
  expect(await readdir(root, { recursive: true })).toEqual(['bucket', 'bucket/a'])
})

async function put(
  key: string,
  text: string,
  extra: { kmsKeyArn?: string } = {},
  signal: AbortSignal = NOT_ABORTED,
): Promise<void> {
  const spool = openSpool({
    directory: parent,
    clock: systemClock,
    buffers: new BufferPool(),
    encrypt: false,
  })
  await spool.write(Buffer.from(text))
  const content = await spool.finish()
  const object = { bucket: 'bucket', key, content, contentType: 'text/plain', formerSha256s: [] }
  await store.put({ ...object, ...extra }, signal)
}

async function failureOf(promise: Promise<void>): Promise<DeliveryError> {
  const error: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(DeliveryError)
  return error as DeliveryError
}

test('keys that no file name takes are listed as they were put', async () => {
  const keys = ['a//b', '/', '../x', 'a/%/c', 'ü\n/d']
  for (const key of keys) await put(key, key)
  const listed: string[] = []
  for await (const { key } of store.list('bucket', '', NOT_ABORTED)) listed.push(key)
  expect(listed.toSorted()).toEqual(keys.toSorted())
  for (const key of keys) {
    const { bytes } = await store.get('bucket', key, NOT_ABORTED)
    for await (const piece of bytes) expect(piece.toString()).toBe(key)
  }
})

test('a bucket that is not there yet lists nothing', async () => {
  for await (const object of store.list('nowhere', 'a/b', NOT_ABORTED))
    expect(object).toBe(undefined)
})
