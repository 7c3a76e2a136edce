import { expect, test } from 'vitest'
import { compileKeyTime, objectKey, outputUuid, PREFIX_BYTES_MAX } from './object-key.ts'

const BATCH_ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV'
const NAME = {
  prefix: '2025/11/19/22/',
  streamName: 'my.stream-1',
  versionId: 4,
  arrivalMs: Date.UTC(2025, 10, 19, 22, 30, 48, 999),
  keyTime: compileKeyTime('UTC'),
  uuid: outputUuid(BATCH_ID, 0),
  fileExtension: '.gz',
}

test('a key is the prefix, stream, version, arrival of the oldest record, UUID and extension', () => {
  expect(objectKey(NAME)).toBe(
    '2025/11/19/22/my.stream-1-4-2025-11-19-22-30-48-dab0ca9a-b5d1-83e5-a74c-5dee376489f8.gz',
  )
})

test('the time is in the given zone', () => {
  const keyTime = compileKeyTime('Asia/Tokyo')
  expect(objectKey({ ...NAME, prefix: '', keyTime, fileExtension: '' })).toBe(
    `my.stream-1-4-2025-11-20-07-30-48-${NAME.uuid}`,
  )
})

test('the UUID is of version 8, the same for a repeat, and differs by output and batch', () => {
  const uuids = [0, 1, 2].map((index) => outputUuid(BATCH_ID, index))
  uuids.push(outputUuid('01ARZ3NDEKTSV4RRFFQ69G5FAW', 0))
  expect(new Set(uuids).size).toBe(4)
  expect(outputUuid(BATCH_ID, 2)).toBe(uuids[2])
  for (const uuid of uuids) {
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  }
})

test('the longest prefix leaves room for the longest suffix within the key size of S3', () => {
  const key = objectKey({
    ...NAME,
    prefix: 'p'.repeat(PREFIX_BYTES_MAX),
    streamName: 's'.repeat(64),
    versionId: 9_999_999_999,
    fileExtension: `.${'x'.repeat(127)}`,
  })
  expect(Buffer.byteLength(key)).toBe(1024)
})
