import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { chunk, listed, only, readTexts } from '../../test/contracts/batch-store.ts'
import type { Call } from '../../test/contracts/faulty-file-system.ts'
import { TemporaryStore } from '../../test/contracts/temporary-store.ts'
import type { Chunk } from '../batch.ts'
import type { AppendTarget, BatchStore } from '../batch-store.ts'
import { AppendError } from '../batch-store.ts'
import { ORIGINS_KEPT_MAX, PositionMoved } from '../chunk-origin.ts'
import type { PartitionPosition } from '../chunk-origin.ts'
import { withMetadata } from '../chunk.ts'
import { CHUNK_HEADER_BYTES, HEADER_BYTES } from './batch-file.ts'
import { PositionLog } from './position-log.ts'

function from(partition: string, sequence: number): Chunk {
  const text = `${partition}${sequence}`
  return { ...chunk(text), origin: { partition, sequence, position: `after ${text}` } }
}

/** `a1`, `b3`…: what each partition has come to. */
async function told(store: BatchStore, { streamId }: AppendTarget): Promise<string[]> {
  const positions = await store.positions(streamId)
  return positions.map(({ partition, sequence }) => `${partition}${sequence}`).toSorted()
}

/** All that will be delivered, once every batch is sealed. */
async function allTexts(store: BatchStore): Promise<string[]> {
  await store.sealAll('drain')
  const batches = await listed(store)
  return (await Promise.all(batches.map((batch) => readTexts(store, batch)))).flat().toSorted()
}

async function takeOver(store: BatchStore, target: AppendTarget, ...groups: string[][]) {
  for (const group of groups) {
    for (const text of group) {
      await store.append(target, from(text.slice(0, 1), Number(text.slice(1))))
    }
    await store.seal(target.streamId, 'flush')
  }
}

test('a stream that is only put to has no file of positions, and its chunks are as ever', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  await store.append(target, chunk('a'))
  await store.sealAll('drain')
  const batch = only(made.sealed)
  expect(await readdir(made.paths.stream(target.streamId))).toEqual([`${batch.batchId}.batch`])
  const bytes = await readFile(made.paths.file(batch, 'batch'))
  expect(bytes.toString('latin1', HEADER_BYTES, HEADER_BYTES + 4)).toBe('SPCP')
  expect(bytes.toString('latin1', HEADER_BYTES + CHUNK_HEADER_BYTES).slice(0, 5)).toBe(
    '\u0001\u0000\u0000\u0000a',
  )
})

test('positions are durable in their file before the batch has its final name', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  const directory = made.paths.stream(target.streamId)
  const path = made.paths.positions(target.streamId)
  const temporary = made.paths.temporaryPositions(target.streamId)
  const callsOf = async (text: string) => {
    await store.append(target, from(text.slice(0, 1), Number(text.slice(1))))
    made.fileSystem.calls.length = 0
    await store.seal(target.streamId, 'flush')
    return made.fileSystem.calls.map(({ operation, path }) => [operation, path])
  }
  const open = expect.stringMatching(/\.open$/)
  const footer = [
    ['write', open],
    ['datasync', open],
  ]
  const named = [
    ['rename', open],
    ['syncDirectory', directory],
  ]
  expect(await callsOf('a1')).toEqual([
    ...footer,
    ['open', temporary],
    ['write', temporary],
    ['datasync', temporary],
    ['rename', temporary],
    ['syncDirectory', directory],
    ...named,
  ])
  expect(await callsOf('a2')).toEqual([
    ...footer,
    ['open', path],
    ['write', path],
    ['datasync', path],
    ...named,
  ])
})

test.each<[string, (call: Call) => boolean]>([
  ['written', ({ operation, path }) => operation === 'write' && path.includes('positions')],
  ['synced', ({ operation, path }) => operation === 'datasync' && path.includes('positions')],
  ['renamed', ({ operation, path }) => operation === 'rename' && path.includes('positions')],
])('a batch whose positions can not be %s is sealed later', async (_, isFaulty) => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  await store.append(target, from('a', 1))
  made.fileSystem.fault = (call) => (isFaulty(call) ? 'EIO' : undefined)
  await store.seal(target.streamId, 'flush')
  expect(made.sealed).toEqual([])
  await store.append(target, from('a', 2))
  made.fileSystem.fault = () => undefined
  await store.sealDue(made.clock.monotonicMs() + 1_000)
  await store.remove(only(made.sealed))
  const restarted = await made.open()
  expect(await told(restarted, target)).toEqual(['a2'])
  expect(await allTexts(restarted)).toEqual(['a2'])
})

test('a start reads no positions where no batch was open', async () => {
  await using made = await TemporaryStore.make()
  const target = made.target()
  await takeOver(await made.open(), target, ['a1', 'b1'], ['a2'])
  await writeFile(made.paths.temporaryPositions(target.streamId), 'half')
  made.fileSystem.calls.length = 0
  const restarted = await made.open()
  expect(made.fileSystem.count('open', 'positions')).toBe(0)
  expect(await told(restarted, target)).toEqual(['a2', 'b1'])
  await takeOver(restarted, target, ['a3'])
  const files = await readdir(made.paths.stream(target.streamId))
  expect(files.filter((name) => name.includes('positions'))).toEqual(['positions'])
  expect(made.complaints).toEqual([])
})

test('a write of positions that is torn at any byte is as if it had not begun', async () => {
  await using made = await TemporaryStore.make()
  const target = made.target()
  await takeOver(await made.open(), target, ['a1', 'b1'])
  const path = made.paths.positions(target.streamId)
  const { size: firstBytes } = await stat(path)
  // Of a new process the first write is the file anew; the second is appended.
  await takeOver(await made.open(), target, ['a2'], ['a3', 'b2'])
  const bytes = await readFile(path)
  const lastBytes = bytes.byteLength - 1
  expect(lastBytes).toBeGreaterThan(2 * firstBytes)
  const lineEnd = bytes.lastIndexOf('\n', lastBytes - 1)
  for (let sizeBytes = 2 * firstBytes; sizeBytes < lastBytes; sizeBytes += 7) {
    await writeFile(path, bytes.subarray(0, sizeBytes))
    const expected = sizeBytes > lineEnd ? ['a3', 'b1'] : ['a2', 'b1']
    expect(await told(await made.open(), target)).toEqual(expected)
  }
  // The first of the two lines is lost, the second is not.
  const torn = Buffer.from(bytes)
  torn.fill(0, lineEnd - 20, lineEnd - 10)
  await writeFile(path, torn)
  expect(await told(await made.open(), target)).toEqual(['a2', 'b2'])
  expect(made.complaints).toEqual([])
})

test('a damaged position costs no other, is kept for a human, and is an error in the log', async () => {
  await using made = await TemporaryStore.make()
  const target = made.target()
  await takeOver(await made.open(), target, ['a1', 'b1'], ['a2'], ['c1'])
  const path = made.paths.positions(target.streamId)
  const bytes = await readFile(path)
  bytes.write('!', bytes.indexOf('after a2'))
  await writeFile(path, bytes)
  const store = await made.open()
  expect(await told(store, target)).toEqual(['a1', 'b1', 'c1'])
  expect(made.complaints).toEqual([
    'error: It is lost how far partitions of a source were read; records may be taken over twice.',
  ])
  const quarantined = only(await readdir(made.paths.quarantine))
  const kept = await readFile(join(made.paths.quarantine, quarantined), 'utf8')
  expect(kept).toMatch(/^[0-9a-f]{8} \{"partition":"a",.*!fter a2.*\}\n$/)
  // The next write leaves it behind.
  await takeOver(store, target, ['b2'])
  await made.open()
  expect(await told(await made.open(), target)).toEqual(['a1', 'b2', 'c1'])
  expect(made.complaints).toHaveLength(1)
})

test('a chunk that failed and can not be cut off is not taken over a second time', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  const { batchId } = await store.append(target, from('a', 1))
  const path = made.paths.file({ ...target, batchId }, 'open')
  made.fileSystem.fault = (call) =>
    call.path === path && ['datasync', 'truncate'].includes(call.operation) ? 'EIO' : undefined
  await expect(store.append(target, from('a', 2))).rejects.toThrow(AppendError)
  // The next batch's file is sound; but a crash now would leave the chunk in the first one.
  await expect(store.append(target, from('a', 2))).rejects.toThrow(AppendError)
  await store.append(target, chunk('put'))
  const before = await readFile(path)
  made.fileSystem.fault = () => undefined
  await store.sealDue(made.clock.monotonicMs() + 1_000)
  await store.append(target, from('a', 2))
  expect(await allTexts(store)).toEqual(['a1', 'a2', 'put'])
  expect(before.includes('after a2')).toBe(true)
})

test('a first chunk that failed is taken over again when its file is sure to be gone', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  made.fileSystem.fault = ({ operation }) =>
    ['datasync', 'truncate', 'unlink'].includes(operation) ? 'EIO' : undefined
  await expect(store.append(target, from('a', 1))).rejects.toThrow(AppendError)
  const [left] = await readdir(made.paths.stream(target.streamId))
  made.fileSystem.fault = ({ operation }) => (operation === 'unlink' ? 'EIO' : undefined)
  await expect(store.append(target, from('a', 1))).rejects.toThrow(AppendError)
  made.fileSystem.fault = () => undefined
  made.fileSystem.calls.length = 0
  await store.append(target, from('a', 1))
  const directory = made.paths.stream(target.streamId)
  expect(made.fileSystem.calls.slice(0, 3)).toEqual([
    { operation: 'unlink', path: join(directory, left ?? '') },
    { operation: 'syncDirectory', path: directory },
    { operation: 'open', path: expect.stringMatching(/\.open$/) },
  ])
  const restarted = await made.open()
  expect(await allTexts(restarted)).toEqual(['a1'])
})

test('nothing is taken over while a batch that an earlier process left can not be read', async () => {
  await using made = await TemporaryStore.make()
  const target = made.target()
  await (await made.open()).append(target, from('a', 1))
  made.fileSystem.fault = ({ operation, path }) =>
    operation === 'open' && path.endsWith('.open') ? 'EIO' : undefined
  const store = await made.open()
  await expect(store.positions(target.streamId)).rejects.toThrow(AppendError)
  await expect(store.append(target, from('a', 1))).rejects.toThrow(AppendError)
  made.fileSystem.fault = () => undefined
  await store.sealDue(made.clock.monotonicMs())
  expect(await told(store, target)).toEqual(['a1'])
  await expect(store.append(target, from('a', 1))).rejects.toThrow(PositionMoved)
  await store.append(target, from('a', 2))
  expect(await allTexts(store)).toEqual(['a1', 'a2'])
})

test('nothing is known of a partition while its batch is being recovered late', async () => {
  await using made = await TemporaryStore.make()
  const target = made.target()
  await (await made.open()).append(target, from('a', 1))
  const isOfBatch = ({ operation, path }: Call) => operation === 'open' && path.endsWith('.open')
  made.fileSystem.fault = (call) => (isOfBatch(call) ? 'EIO' : undefined)
  const store = await made.open()
  const asked: Promise<unknown>[] = []
  made.fileSystem.fault = (call) => {
    if (isOfBatch(call)) asked.push(store.append(target, from('a', 1)).catch((error) => error))
    return undefined
  }
  await store.sealDue(made.clock.monotonicMs())
  expect(await Promise.all(asked)).toEqual([expect.any(AppendError)])
  expect(await allTexts(store)).toEqual(['a1'])
})

test('a discarded stream leaves no file of positions', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  await takeOver(store, target, ['a1'])
  await store.append(target, from('a', 2))
  await store.discard(target.streamId)
  expect(await readdir(made.paths.batches)).toEqual([])
  await store.append(target, from('a', 1))
  expect(await told(store, target)).toEqual(['a1'])
})

test('of too many requests the latest are known', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  const atMs = made.clock.nowMs()
  const requests = Array.from({ length: ORIGINS_KEPT_MAX + 2 }, (_, index): PartitionPosition => {
    return { partition: `r${index}`, sequence: 1, position: '', passing: true, atMs: atMs + index }
  })
  await store.restorePositions(target.streamId, requests)
  const known = await store.positions(target.streamId)
  expect(known).toHaveLength(ORIGINS_KEPT_MAX)
  expect([known[0], known.at(-1)]).toEqual([requests[2], requests.at(-1)])
})

test('a file that is mostly outdated is written anew', async () => {
  await using made = await TemporaryStore.make()
  const { fileSystem, paths } = made
  await made.open()
  const streamId = 'S1'
  await fileSystem.makeDirectory(paths.stream(streamId))
  const log = new PositionLog({ streamId, fileSystem, paths })
  const at = (sequence: number): PartitionPosition => {
    return { partition: 'a', sequence, position: 'x', atMs: 0 }
  }
  const sizes: number[] = []
  for (const first of [1, 1_001, 2_001, 3_001]) {
    const news = Array.from({ length: 1_000 }, (_, index) => at(first + index))
    await log.write(news, { count: 1, all: () => news.slice(-1) })
    sizes.push((await stat(paths.positions(streamId))).size)
  }
  // Anew, since nothing was known; twice appended; and anew.
  expect(sizes.map((size) => size > 1_000)).toEqual([false, true, true, false])
  expect(await log.read()).toEqual({ positions: [at(4_000)], damaged: [], torn: [] })
})

test('an encrypted batch tells origins, and no metadata, without its key', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target({ dataKey: made.keyRing.makeDataKey() })
  const secret = withMetadata(chunk('secret text'), [{ key: 'secret key' }])
  const { origin } = from('a', 1)
  const { batchId } = await store.append(target, { ...secret, origin: origin as never })
  const path = made.paths.file({ ...target, batchId }, 'open')
  const bytes = await readFile(path, 'latin1')
  expect(bytes).toContain('"position":"after a1"')
  expect(bytes).not.toContain('secret')
  await store.close()
  // Cut in the middle of the last bytes: the chunk is torn, and its origin with it.
  await truncate(path, bytes.length - 1)
  expect(await told(await made.open(), target)).toEqual([])
})
