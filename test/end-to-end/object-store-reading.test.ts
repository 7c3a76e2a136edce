/** What a replay needs of the object stores: list what is there, and read it back. */
import { randomUUID } from 'node:crypto'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import type { ObjectReader } from '../../src/object-store.ts'
import {
  BUCKET,
  bytesOf,
  failureOf,
  folderCase,
  MIB,
  newKey,
  NOT_ABORTED,
  objectOf,
  s3Cases,
} from './object-store-cases.ts'

describe.each([folderCase, ...s3Cases])('$name', ({ store }) => {
  test('what was put is listed by its prefix and read back', async () => {
    const folder = `list/${randomUUID()}/`
    const keys = ['a', 'ab/c', 'ab/d', 'b'].map((name) => folder + name)
    for (const key of keys) await store.put(await objectOf(key, Buffer.from(key)), NOT_ABORTED)
    const listed = async (prefix: string) =>
      (await allOf(store.list(BUCKET, prefix, NOT_ABORTED))).map(({ key }) => key)
    expect((await listed(folder)).toSorted()).toEqual(keys)
    expect((await listed(`${folder}ab`)).toSorted()).toEqual(keys.slice(1, 3))
    expect(await listed(`${folder}ab/c`)).toEqual(keys.slice(1, 2))
    expect(await listed(`${folder}c`)).toEqual([])
    const [first] = await allOf(store.list(BUCKET, `${folder}b`, NOT_ABORTED))
    expect(first).toEqual({
      key: `${folder}b`,
      sizeBytes: Buffer.byteLength(`${folder}b`),
      lastModifiedMs: expect.any(Number),
    })
    expect(Math.abs(Date.now() - (first?.lastModifiedMs ?? 0))).toBeLessThan(60_000)
    expect((await readBack(store, `${folder}ab/d`)).toString()).toBe(`${folder}ab/d`)
  })

  test('a large object is read back in pieces', async () => {
    const object = await objectOf(newKey(), bytesOf(20 * MIB))
    await store.put(object, NOT_ABORTED)
    expect((await readBack(store, object.key)).equals(bytesOf(20 * MIB))).toBe(true)
  })

  test('an object that is not there can not be read', async () => {
    const failure = await failureOf(readBack(store, newKey()))
    expect(failure).toMatchObject({ errorCode: 'S3.NoSuchKey', effect: 'none' })
  })

  test('reading and listing can be aborted', async () => {
    const object = await objectOf(newKey(), bytesOf(100))
    await store.put(object, NOT_ABORTED)
    const aborted = AbortSignal.abort()
    const failures = [
      await failureOf(readBack(store, object.key, aborted)),
      await failureOf(allOf(store.list(BUCKET, 'logs/', aborted)).then(() => undefined)),
    ]
    expect(failures.map(({ errorCode }) => errorCode)).toEqual([
      'S3.RequestAborted',
      'S3.RequestAborted',
    ])
  })
})

describe.each(s3Cases)('$name', ({ store, client }) => {
  test('more objects than fit on a page are listed', async () => {
    const folder = `pages/${randomUUID()}/`
    const keys = Array.from({ length: 1_100 }, (_, index) => `${folder}${index}`)
    for (let from = 0; from < keys.length; from += 100) {
      const some = keys.slice(from, from + 100)
      const puts = some.map((Key) => new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'x' }))
      await Promise.all(puts.map((put) => client.send(put)))
    }
    const listed = await allOf(store.list(BUCKET, folder, NOT_ABORTED))
    expect(listed.map(({ key }) => key).toSorted()).toEqual(keys.toSorted())
  })

  test('what the encoding of an object was is told', async () => {
    const object = await objectOf(randomUUID(), bytesOf(100))
    await store.put({ ...object, contentEncoding: 'gzip' }, NOT_ABORTED)
    const { contentEncoding } = await store.get(BUCKET, object.key, NOT_ABORTED)
    expect(contentEncoding).toBe('gzip')
  })
})

async function allOf<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

async function readBack(
  store: ObjectReader,
  key: string,
  signal: AbortSignal = NOT_ABORTED,
): Promise<Buffer> {
  const { bytes } = await store.get(BUCKET, key, signal)
  return Buffer.concat(await allOf(bytes))
}
