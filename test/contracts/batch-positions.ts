/** What every BatchStore must do with a chunk's origin, and with what is known of records besides their data. */
import { expect, test } from 'vitest'
import { BatchIds } from '../../src/batch.ts'
import type { Chunk } from '../../src/batch.ts'
import { AppendError } from '../../src/batch-store.ts'
import type { AppendTarget, BatchStore } from '../../src/batch-store.ts'
import { ORIGIN_KEPT_MS, PositionMoved } from '../../src/chunk-origin.ts'
import type { ChunkOrigin, PartitionPosition } from '../../src/chunk-origin.ts'
import { chunkMetadata, withMetadata } from '../../src/chunk.ts'
import { LocalKeyRing } from '../../src/embedded/local-key-ring.ts'
import { ARRIVAL_MS, chunk, listed, noise, only, readChunks, readTexts } from './batch-store.ts'
import type { OpenStore } from './batch-store.ts'
import { ManualClock } from './manual-clock.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const METADATA = [{ offset: '1', headers: [{ key: 'ä', value: 'eA==' }] }, {}]

export function batchPositionsContract(name: string, openStore: OpenStore): void {
  const clock = new ManualClock()
  const ids = new BatchIds(clock)
  const keyRing = LocalKeyRing.fromSetting(KEY, clock)
  const open = (quotaBytes = 100_000_000) => openStore({ clock, keyRing, quotaBytes })
  const makeTarget = (facts: Partial<AppendTarget> = {}): AppendTarget => ({
    streamId: ids.next(),
    sizeBytesMax: 1_000_000,
    ageMsMax: 60_000,
    ...facts,
  })

  test(`${name}: a chunk is taken over in its turn, and once`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const append = (chunk: Chunk) => tested.store.append(target, chunk)
    expect(await append(from('shard-0', 1, 'a', 'b'))).toMatchObject({ firstOrdinal: 0 })
    await expect(append(from('shard-0', 1, 'a', 'b'))).rejects.toThrow(PositionMoved)
    await expect(append(from('shard-0', 3, 'too soon'))).rejects.toThrow(PositionMoved)
    await expect(append(from('shard-1', 2, 'never begun'))).rejects.toThrow(PositionMoved)
    expect(await append(from('shard-0', 2, 'c'))).toMatchObject({ firstOrdinal: 2 })
    await expect(append(from('shard-0', 1, 'a', 'b'))).rejects.toThrow(PositionMoved)
    await tested.store.seal(target.streamId, 'flush')
    expect(await readTexts(tested.store, only(tested.sealed))).toEqual(['a', 'b', 'c'])
  })

  test(`${name}: how far each partition is read is told while its records are not sealed`, async () => {
    await using tested = await open()
    const target = makeTarget()
    expect(await tested.store.positions(target.streamId)).toEqual([])
    await tested.store.append(target, chunk('of nowhere'))
    await tested.store.append(target, from('b', 1, 'x'))
    await tested.store.append(target, from('a', 1, 'x'))
    await tested.store.append(target, { ...from('b', 2, 'y'), arrivalMs: ARRIVAL_MS + 5 })
    expect(await positionsOf(tested.store, target)).toEqual([
      { partition: 'a', sequence: 1, position: 'after a 1', atMs: ARRIVAL_MS },
      { partition: 'b', sequence: 2, position: 'after b 2', atMs: ARRIVAL_MS + 5 },
    ])
    await tested.store.seal(target.streamId, 'flush')
    expect(await positionsOf(tested.store, target)).toMatchObject([
      { sequence: 1 },
      { sequence: 2 },
    ])
    expect(await tested.store.positions(makeTarget().streamId)).toEqual([])
  })

  test(`${name}: chunks of a partition may follow each other without waiting`, async () => {
    await using tested = await open()
    const target = makeTarget({ sizeBytesMax: 60 })
    const texts = Array.from({ length: 40 }, (_, index) => `${index}`.padStart(4, '0'))
    const appends = texts.flatMap((text, index) => [
      tested.store.append(target, from('one', index + 1, `1-${text}`)),
      tested.store.append(target, from('two', index + 1, `2-${text}`)),
    ])
    await Promise.all(appends)
    await tested.store.seal(target.streamId, 'flush')
    const found = (
      await Promise.all(tested.sealed.map((batch) => readTexts(tested.store, batch)))
    ).flat()
    for (const side of ['1', '2']) {
      const ofSide = found.filter((text) => text.startsWith(side))
      expect(ofSide).toEqual(texts.map((text) => `${side}-${text}`))
    }
  })

  test.each([1, 3])(
    `${name}: of readers that race for a partition one goes on at a time, over %i lanes`,
    async (laneCount) => {
      await using tested = await open()
      const target = makeTarget({ sizeBytesMax: 20, laneCount })
      for (let sequence = 1; sequence <= 12; sequence += 1) {
        const readers = ['x', 'y', 'z'].map((reader) =>
          tested.store.append(target, from('shard', sequence, `${reader}-${sequence}`)),
        )
        const outcomes = await Promise.allSettled(readers)
        const refused = outcomes.filter(({ status }) => status === 'rejected')
        expect(refused).toMatchObject([
          { reason: expect.any(PositionMoved) },
          { reason: expect.any(PositionMoved) },
        ])
      }
      await tested.store.seal(target.streamId, 'flush')
      const found = await Promise.all(tested.sealed.map((batch) => readTexts(tested.store, batch)))
      const sequences = found.flat().map((text) => Number(text.slice(2)))
      expect(sequences.toSorted((a, b) => a - b)).toEqual(range(1, 12))
    },
  )

  test(`${name}: an append out of its turn does no harm to those beside it`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const outcomes = await Promise.allSettled(
      [chunk('put'), from('a', 2, 'not yet'), from('a', 1, 'first'), from('b', 1, 'other')].map(
        (each) => tested.store.append(target, each),
      ),
    )
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ])
    await tested.store.seal(target.streamId, 'flush')
    const texts = await readTexts(tested.store, only(tested.sealed))
    expect(texts.toSorted()).toEqual(['first', 'other', 'put'])
  })

  test(`${name}: what was taken over stays so over a restart, sealed or not`, async () => {
    await using tested = await open()
    const target = makeTarget()
    await tested.store.append(target, from('sealed', 1, 'x'))
    await tested.store.seal(target.streamId, 'flush')
    await tested.store.append(target, from('open', 1, 'y'))
    const before = await positionsOf(tested.store, target)
    await using restarted = await tested.restart()
    expect(await positionsOf(restarted.store, target)).toEqual(before)
    for (const partition of ['sealed', 'open']) {
      const again = restarted.store.append(target, from(partition, 1, 'again'))
      await expect(again).rejects.toThrow(PositionMoved)
      await restarted.store.append(target, from(partition, 2, 'next'))
    }
  })

  test(`${name}: positions outlive the batches they came with`, async () => {
    await using tested = await open()
    const target = makeTarget()
    await tested.store.append(target, from('shard', 1, 'x'))
    await tested.store.seal(target.streamId, 'flush')
    await tested.store.remove(only(tested.sealed))
    await using restarted = await tested.restart()
    expect(await listed(restarted.store)).toEqual([])
    expect(await positionsOf(restarted.store, target)).toMatchObject([{ sequence: 1 }])
    const again = restarted.store.append(target, from('shard', 1, 'again'))
    await expect(again).rejects.toThrow(PositionMoved)
  })

  test(`${name}: an append that was refused for want of room has moved nothing`, async () => {
    await using tested = await open(10_000_000)
    const target = makeTarget({ sizeBytesMax: 4_000_000 })
    const large = (sequence: number) => ({ ...noise(4_000_000), origin: origin('shard', sequence) })
    await tested.store.append(target, large(1))
    await tested.store.append(target, large(2))
    await expect(tested.store.append(target, large(3))).rejects.toThrow(AppendError)
    expect(await positionsOf(tested.store, target)).toMatchObject([{ sequence: 2 }])
    await tested.store.sealAll('drain')
    for (const batch of tested.sealed) await tested.store.remove(batch)
    await tested.store.append(target, large(3))
  })

  test(`${name}: a discarded stream's positions are gone, and it may begin again`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const other = makeTarget()
    for (const { streamId } of [target, other]) {
      await tested.store.append({ ...target, streamId }, from('shard', 1, 'x'))
      await tested.store.seal(streamId, 'flush')
      await tested.store.append({ ...target, streamId }, request('r'))
    }
    await tested.store.discard(target.streamId)
    expect(await tested.store.positions(target.streamId)).toEqual([])
    expect(await tested.store.positions(other.streamId)).toHaveLength(2)
    await using restarted = await tested.restart()
    expect(await restarted.store.positions(target.streamId)).toEqual([])
    await restarted.store.append(target, from('shard', 1, 'y'))
    await restarted.store.append(target, request('r'))
  })

  test(`${name}: any text may name a partition and a position`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const texts = ['', ' ', 'a\n"b"\\', '__proto__', '{}', 'ü€😀', '\u0000', 'x'.repeat(512)]
    const expected = texts.map((text) => ({ partition: text, sequence: 1, position: text }))
    for (const each of expected) await tested.store.append(target, { ...chunk('x'), origin: each })
    const stated = expected.map((each) => ({ ...each, atMs: ARRIVAL_MS })).toSorted(byPartition)
    expect(await positionsOf(tested.store, target)).toEqual(stated)
    await using restarted = await tested.restart()
    expect(await positionsOf(restarted.store, target)).toEqual(stated)
  })

  test(`${name}: a request that is repeated is known, over restarts, while it is kept`, async () => {
    const clock = new ManualClock()
    await using tested = await openStore({ clock, keyRing, quotaBytes: 100_000_000 })
    const target = makeTarget()
    const at = () => clock.nowMs()
    await tested.store.append(target, { ...request('r-1'), arrivalMs: at() })
    await tested.store.append(target, { ...request('r-2'), arrivalMs: at() })
    await expect(tested.store.append(target, request('r-1'))).rejects.toThrow(PositionMoved)
    expect(await positionsOf(tested.store, target)).toMatchObject([
      { partition: 'r-1', passing: true },
      { partition: 'r-2', passing: true },
    ])
    await tested.store.append(target, { ...from('shard', 1, 'x'), arrivalMs: at() })
    clock.advance(ORIGIN_KEPT_MS - 1_000)
    await using restarted = await tested.restart()
    const again = restarted.store.append(target, { ...request('r-1'), arrivalMs: at() })
    await expect(again).rejects.toThrow(PositionMoved)
    clock.advance(2_000)
    await restarted.store.append(target, { ...request('r-1'), arrivalMs: at() })
    expect(await positionsOf(restarted.store, target)).toMatchObject([
      { partition: 'r-1', atMs: at() },
      { partition: 'shard', sequence: 1 },
    ])
  })

  test(`${name}: positions of another store are entered, and reading goes on from there`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const positions = [at('a', 7), at('b', 1), { ...at('r', 1), passing: true as const }]
    await tested.store.restorePositions(target.streamId, positions)
    expect(await positionsOf(tested.store, target)).toEqual(positions)
    await using restarted = await tested.restart()
    expect(await positionsOf(restarted.store, target)).toEqual(positions)
    await expect(restarted.store.append(target, from('a', 7, 'again'))).rejects.toThrow(
      PositionMoved,
    )
    await expect(restarted.store.append(target, request('r'))).rejects.toThrow(PositionMoved)
    await restarted.store.append(target, from('a', 8, 'next'))
  })

  test(`${name}: a partition that has gone further here stays where it is`, async () => {
    await using tested = await open()
    const target = makeTarget()
    for (const sequence of [1, 2, 3]) {
      await tested.store.append(target, from('far', sequence, 'x'))
    }
    await tested.store.append(target, from('near', 1, 'x'))
    await tested.store.restorePositions(target.streamId, [at('far', 2), at('near', 5)])
    await tested.store.restorePositions(target.streamId, [])
    expect(await positionsOf(tested.store, target)).toMatchObject([
      { partition: 'far', sequence: 3, position: 'after far 3' },
      { partition: 'near', sequence: 5 },
    ])
    await using restarted = await tested.restart()
    expect(await positionsOf(restarted.store, target)).toMatchObject([
      { partition: 'far', sequence: 3 },
      { partition: 'near', sequence: 5 },
    ])
  })

  test.each([
    ['plain', () => ({})],
    ['encrypted', () => ({ dataKey: keyRing.makeDataKey() })],
  ])(`${name}: metadata is read back, and is no data: %s`, async (_, facts) => {
    await using tested = await open()
    const target = makeTarget({ ...facts(), sizeBytesMax: 10 })
    const told = withMetadata(chunk('abc', ''), METADATA)
    await tested.store.append(target, told)
    await tested.store.append(target, { ...told, origin: origin('shard', 1) })
    await tested.store.append(target, from('shard', 2, 'x'))
    await tested.store.append(target, chunk('xyz'))
    await tested.store.seal(target.streamId, 'drain')
    const batch = only(tested.sealed)
    expect(batch).toMatchObject({ recordCount: 6, dataBytes: 10, sealReason: 'size' })
    await using restarted = await tested.restart()
    const { chunks, quarantinedCount } = await readChunks(restarted.store, batch)
    expect(chunks).toEqual([
      { ...told, firstOrdinal: 0 },
      { ...told, firstOrdinal: 2 },
      { ...chunk('x'), firstOrdinal: 4 },
      { ...chunk('xyz'), firstOrdinal: 5 },
    ])
    expect(chunks.map((each) => chunkMetadata(each))).toEqual([
      METADATA,
      METADATA,
      undefined,
      undefined,
    ])
    expect(quarantinedCount).toBe(0)
  })

  test(`${name}: an import keeps metadata, and no origin`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const told = { ...withMetadata(chunk('a', 'b'), METADATA), origin: origin('shard', 9) }
    async function* chunks() {
      yield told
    }
    await tested.store.importBatch(target, ids.next(), chunks(), 'replay')
    const { origin: _origin, ...kept } = told
    const read = await readChunks(tested.store, only(tested.sealed))
    expect(read.chunks).toEqual([{ ...kept, firstOrdinal: 0 }])
    expect(await tested.store.positions(target.streamId)).toEqual([])
    await tested.store.append(target, from('shard', 1, 'x'))
  })
}

function origin(partition: string, sequence: number): ChunkOrigin {
  return { partition, sequence, position: `after ${partition} ${sequence}` }
}

/** A chunk that is the partition's `sequence`-th. */
function from(partition: string, sequence: number, ...texts: string[]): Chunk {
  return { ...chunk(...texts), origin: origin(partition, sequence) }
}

function request(requestId: string): Chunk {
  return { ...chunk(requestId), origin: { ...origin(requestId, 1), passing: true } }
}

function at(partition: string, sequence: number): PartitionPosition {
  return { ...origin(partition, sequence), atMs: ARRIVAL_MS }
}

/** By name: their order is not for anybody to rely on. */
async function positionsOf(store: BatchStore, { streamId }: AppendTarget) {
  return [...(await store.positions(streamId))].toSorted(byPartition)
}

function byPartition(a: { partition: string }, b: { partition: string }): number {
  return a.partition < b.partition ? -1 : 1
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
