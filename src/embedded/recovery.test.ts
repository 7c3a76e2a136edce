import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import {
  chunk,
  listed,
  manifestOf,
  only,
  readChunks,
  readTexts,
} from '../../test/contracts/batch-store.ts'
import { TemporaryStore } from '../../test/contracts/temporary-store.ts'
import { recordsOf } from '../chunk.ts'
import { FOOTER_BYTES, HEADER_BYTES } from './batch-file.ts'
import type { BatchFileKind } from './batch-paths.ts'

/** A batch of three chunks, each in a group of its own, left open or sealed by a process that died. */
async function makeBatch(made: TemporaryStore, kind: BatchFileKind, dataKey = false) {
  const store = await made.open()
  const target = made.target(dataKey ? { dataKey: made.keyRing.makeDataKey() } : {})
  const otherBytes = store.usage().storedBytes
  const ends: number[] = []
  for (const texts of [['a', 'bb'], ['ccc'], ['dddd', 'e']]) {
    await store.append(target, chunk(...texts))
    ends.push(store.usage().storedBytes - otherBytes)
  }
  const { batchId } = only(await store.openBatches(target.streamId))
  const name = { ...target, batchId }
  if (kind === 'batch') await store.sealAll('flush')
  await store.close()
  const path = made.paths.file(name, kind)
  return { name, path, bytes: await readFile(path), ends: ends as [number, number, number] }
}

async function readAll(made: TemporaryStore) {
  const store = await made.open()
  const results = []
  for (const batch of await listed(store)) {
    const { chunks, quarantinedCount } = await readChunks(store, batch)
    results.push({
      texts: chunks.flatMap((each) => [...recordsOf(each)].map(String)),
      quarantinedCount,
      recordCount: batch.recordCount,
    })
  }
  return results
}

const WHOLE = { texts: ['a', 'bb', 'ccc', 'dddd', 'e'], quarantinedCount: 0, recordCount: 5 }
const WITHOUT_LAST = { texts: ['a', 'bb', 'ccc'], quarantinedCount: 0, recordCount: 3 }

test('a last chunk that is torn at any byte is cut off, and nothing else', async () => {
  await using made = await TemporaryStore.make()
  const { path, bytes, ends, name } = await makeBatch(made, 'open')
  for (let sizeBytes = ends[1]; sizeBytes < ends[2]; sizeBytes += 1) {
    await writeFile(path, bytes.subarray(0, sizeBytes))
    expect(await readAll(made)).toEqual([WITHOUT_LAST])
    await made.fileSystem.unlink(made.paths.file(name, 'batch'))
  }
})

test('a last chunk whose bytes did not all reach the disk is cut off', async () => {
  await using made = await TemporaryStore.make()
  const { path, bytes, ends, name } = await makeBatch(made, 'open')
  for (let at = ends[1]; at < ends[2]; at += 1) {
    await writeFile(path, flipped(bytes, at))
    expect(await readAll(made)).toEqual([WITHOUT_LAST])
    await made.fileSystem.unlink(made.paths.file(name, 'batch'))
  }
})

test('a file that ends before its first whole chunk is removed', async () => {
  await using made = await TemporaryStore.make()
  const { path, bytes, ends } = await makeBatch(made, 'open')
  for (const sizeBytes of [0, 1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 40, ends[0] - 1]) {
    await writeFile(path, bytes.subarray(0, sizeBytes))
    expect(await readAll(made)).toEqual([])
    expect(await readdir(dirname(path))).toEqual([])
  }
})

test('a flipped bit in an acknowledged chunk costs that chunk, which is quarantined and counted', async () => {
  await using made = await TemporaryStore.make()
  const { path, bytes, ends, name } = await makeBatch(made, 'open')
  for (let at = ends[0]; at < ends[1]; at += 1) {
    await writeFile(path, flipped(bytes, at))
    expect(await readAll(made)).toEqual([
      { texts: ['a', 'bb', 'dddd', 'e'], quarantinedCount: 1, recordCount: 5 },
    ])
    await made.fileSystem.unlink(made.paths.file(name, 'batch'))
  }
  expect(await readdir(made.paths.quarantine)).toEqual([
    `${name.streamId}-${name.batchId}-${ends[0]}.damaged-chunk`,
  ])
  const kept = await readFile(
    join(made.paths.quarantine, only(await readdir(made.paths.quarantine))),
  )
  expect(kept).toEqual(flipped(bytes, ends[0]).subarray(ends[0], ends[1]))
})

test('a flipped bit anywhere in a sealed batch is noticed, and its count never lost', async () => {
  await using made = await TemporaryStore.make()
  const { path, bytes, ends } = await makeBatch(made, 'batch')
  for (let at = HEADER_BYTES; at < ends[2]; at += 1) {
    await writeFile(path, flipped(bytes, at))
    const { texts, quarantinedCount } = only(await readAll(made))
    expect(texts.length + quarantinedCount).toBe(5)
    expect(quarantinedCount).toBeGreaterThan(0)
  }
})

test('a flipped bit in header or footer costs nothing', async () => {
  await using made = await TemporaryStore.make()
  const { path, bytes } = await makeBatch(made, 'batch')
  for (const at of [0, 20, 100, HEADER_BYTES - 1, bytes.length - FOOTER_BYTES, bytes.length - 1]) {
    await writeFile(path, flipped(bytes, at))
    expect(await readAll(made)).toEqual([WHOLE])
  }
})

test('a batch that was open and has lost its header is recovered all the same', async () => {
  await using made = await TemporaryStore.make()
  const { path, bytes } = await makeBatch(made, 'open')
  await writeFile(path, flipped(bytes, 30))
  expect(await readAll(made)).toEqual([WHOLE])
})

test('a batch that has lost its header before its second group is recovered, unless it needs it', async () => {
  await using made = await TemporaryStore.make()
  const plain = await makeBatch(made, 'open')
  await writeFile(plain.path, flipped(plain.bytes, 30).subarray(0, plain.ends[0]))
  const encrypted = await makeBatch(made, 'open', true)
  await writeFile(encrypted.path, flipped(encrypted.bytes, 30).subarray(0, encrypted.ends[0]))
  expect(await readAll(made)).toEqual([{ texts: ['a', 'bb'], quarantinedCount: 0, recordCount: 2 }])
})

test('an encrypted batch that has lost its header, and the key in it, is quarantined by its count', async () => {
  await using made = await TemporaryStore.make()
  const { path, bytes } = await makeBatch(made, 'batch', true)
  expect(await readAll(made)).toEqual([WHOLE])
  await writeFile(path, flipped(bytes, 100))
  expect(await readAll(made)).toEqual([{ texts: [], quarantinedCount: 5, recordCount: 5 }])
})

test('a flipped bit in an encrypted chunk costs that chunk', async () => {
  await using made = await TemporaryStore.make()
  const { path, bytes, ends } = await makeBatch(made, 'batch', true)
  await writeFile(path, flipped(bytes, ends[0] + 50))
  expect(await readAll(made)).toEqual([
    { texts: ['a', 'bb', 'dddd', 'e'], quarantinedCount: 1, recordCount: 5 },
  ])
})

test('records of an encrypted stream are nowhere in its files', async () => {
  await using made = await TemporaryStore.make()
  const { bytes } = await makeBatch(made, 'batch', true)
  expect(bytes.includes('dddd')).toBe(false)
})

test('bytes of another batch do not pass, though they were valid there', async () => {
  await using made = await TemporaryStore.make()
  const other = await makeBatch(made, 'batch')
  await made.fileSystem.unlink(other.path)
  const { path, bytes, ends } = await makeBatch(made, 'open')
  await writeFile(
    path,
    Buffer.concat([bytes.subarray(0, ends[0]), other.bytes.subarray(other.ends[0])]),
  )
  expect(await readAll(made)).toEqual([{ texts: ['a', 'bb'], quarantinedCount: 0, recordCount: 2 }])
})

test('a hole in a group that was never acknowledged is no damage, and what follows is kept', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  await store.append(target, chunk('a'))
  const startOfGroup = store.usage().storedBytes
  await Promise.all(['b', 'c'].map((text) => store.append(target, chunk(text))))
  const { batchId } = only(await store.openBatches(target.streamId))
  const name = { ...target, batchId }
  await store.close()
  const path = made.paths.file(name, 'open')
  await writeFile(path, flipped(await readFile(path), startOfGroup))
  expect(await readAll(made)).toEqual([{ texts: ['a', 'c'], quarantinedCount: 0, recordCount: 2 }])
  expect(await readdir(made.paths.quarantine)).toEqual([])
})

test('a sealed batch that has lost its end keeps its other chunks, and quarantines the rest', async () => {
  await using made = await TemporaryStore.make()
  const { path, ends } = await makeBatch(made, 'batch')
  await truncate(path, ends[2] - 1 + FOOTER_BYTES)
  expect(await readAll(made)).toEqual([{ ...WITHOUT_LAST, quarantinedCount: 2, recordCount: 5 }])
})

test('a sealed batch of which nothing is left is moved to quarantine, and start-up goes on', async () => {
  await using made = await TemporaryStore.make()
  const lost = await makeBatch(made, 'batch')
  const whole = await makeBatch(made, 'batch')
  await writeFile(lost.path, Buffer.alloc(lost.bytes.byteLength))
  expect(await readAll(made)).toEqual([WHOLE])
  expect(await readdir(made.paths.quarantine)).toEqual([
    `${lost.name.streamId}-${lost.name.batchId}.batch`,
  ])
  expect(made.complaints).toEqual([
    'error: A batch file is damaged on disk and was moved to quarantine.',
  ])
  expect(await stat(whole.path)).toMatchObject({ size: whole.bytes.byteLength })
})

test('quarantined chunks are counted in the usage', async () => {
  await using made = await TemporaryStore.make()
  const { path, bytes, ends } = await makeBatch(made, 'batch')
  await writeFile(path, flipped(bytes, ends[0]))
  await readAll(made)
  await readAll(made)
  made.clock.advance(1_000)
  const store = await made.open()
  expect(store.usage().quarantinedChunkCount).toBe(1)
})

test('manifests and temporary files without a batch are removed at start-up', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  for (const text of ['a', 'b']) {
    await store.append(target, chunk(text))
    await store.sealAll('flush')
  }
  const [gone, stays] = made.sealed as [(typeof made.sealed)[0], (typeof made.sealed)[0]]
  for (const batch of [gone, stays]) await store.freeze(batch, manifestOf(batch))
  await writeFile(made.paths.file(stays, 'temporary'), 'half a manif')
  await made.fileSystem.unlink(made.paths.file(gone, 'batch'))
  const restarted = await made.open()
  expect((await readdir(made.paths.stream(target.streamId))).toSorted()).toEqual([
    `${stays.batchId}.batch`,
    `${stays.batchId}.manifest`,
  ])
  expect(await restarted.manifest(stays)).toEqual(manifestOf(stays))
})

test('a damaged manifest is an error, not a batch that nobody has touched', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  await store.append(made.target(), chunk('a'))
  await store.sealAll('flush')
  const batch = only(made.sealed)
  await store.freeze(batch, manifestOf(batch))
  const path = made.paths.file(batch, 'manifest')
  await writeFile(path, flipped(await readFile(path), 40))
  await expect(store.manifest(batch)).rejects.toMatchObject({
    name: 'ManifestDamaged',
    message: expect.stringContaining('its checksum is wrong') as string,
  })
})

test('recovery that is interrupted anywhere comes to the same end', async () => {
  await using made = await TemporaryStore.make()
  const { path, bytes, ends, name } = await makeBatch(made, 'open')
  for (const operation of ['truncate', 'write', 'datasync', 'rename', 'syncDirectory'] as const) {
    await writeFile(path, bytes.subarray(0, ends[2] - 1))
    made.fileSystem.fault = (call) =>
      call.operation === operation && call.path.includes(name.batchId) ? 'EIO' : undefined
    await made.open()
    made.fileSystem.fault = () => undefined
    expect(await readAll(made)).toEqual([WITHOUT_LAST])
    await made.fileSystem.unlink(made.paths.file(name, 'batch'))
  }
})

test('chunks larger than the reading window, and thousands of small ones, come back whole', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target({ sizeBytesMax: 50_000_000 })
  const texts = [
    'x'.repeat(3_000_000),
    ...Array.from({ length: 3_000 }, (_, index) => `small ${index}`),
    'y'.repeat(1_048_576),
    'z',
  ]
  await Promise.all(texts.map((text) => store.append(target, chunk(text))))
  await store.sealAll('flush')
  expect(await readTexts(store, only(made.sealed))).toEqual(texts)
})

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 0x10
  return copy
}
