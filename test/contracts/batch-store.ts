/** What every BatchStore must do. */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { BatchIds, isBatchId } from '../../src/batch.ts'
import type { Chunk, SealedBatch } from '../../src/batch.ts'
import { AppendError } from '../../src/batch-store.ts'
import type { AppendTarget, BatchStore, StoredChunk } from '../../src/batch-store.ts'
import { chunkOf, recordsOf } from '../../src/chunk.ts'
import { LocalKeyRing } from '../../src/embedded/local-key-ring.ts'
import type { Manifest } from '../../src/manifest.ts'
import { ManualClock } from './manual-clock.ts'

export interface StoreSetting {
  readonly clock: ManualClock
  readonly keyRing: LocalKeyRing
  /** What the store may hold. */
  readonly quotaBytes: number
}

export interface StoreUnderTest extends AsyncDisposable {
  readonly store: BatchStore
  /** A batch that was open when the process died is open for the next one; else that one seals it. */
  readonly keepsOpen: boolean
  /** What was announced as sealed, in order. */
  readonly sealed: readonly SealedBatch[]
  /** The store as the next process finds it, after this one died without a word. */
  restart(): Promise<StoreUnderTest>
}

export type OpenStore = (setting: StoreSetting) => Promise<StoreUnderTest>

export const ARRIVAL_MS = 1_783_952_116_000
const KEY = Buffer.alloc(32, 7).toString('base64')

export function batchStoreContract(name: string, openStore: OpenStore): void {
  const clock = new ManualClock()
  const ids = new BatchIds(clock)
  const keyRing = LocalKeyRing.fromSetting(KEY, clock)
  const open = (quotaBytes = 100_000_000) => openStore({ clock, keyRing, quotaBytes })
  const makeTarget = (limits: Partial<AppendTarget> = {}): AppendTarget => ({
    streamId: ids.next(),
    sizeBytesMax: 1_000_000,
    ageMsMax: 60_000,
    ...limits,
  })

  test(`${name}: an append says where its records are`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const first = await tested.store.append(target, chunk('a', 'b'))
    const second = await tested.store.append(target, chunk('c'))
    expect(isBatchId(first.batchId)).toBe(true)
    expect([first, second]).toEqual([
      { batchId: first.batchId, firstOrdinal: 0 },
      { batchId: first.batchId, firstOrdinal: 2 },
    ])
  })

  test(`${name}: a sealed batch is announced with its facts, and read back as it was sent`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const chunks = [chunk('hello', '', 'world'), { ...chunk('x'), arrivalMs: ARRIVAL_MS + 5 }]
    const [appended] = await appendAll(tested.store, target, chunks)
    await tested.store.seal(target.streamId, 'flush')
    expect(tested.sealed).toEqual([
      {
        batchId: appended?.batchId,
        streamId: target.streamId,
        recordCount: 4,
        dataBytes: 11,
        storedBytes: expect.any(Number),
        firstArrivalMs: ARRIVAL_MS,
        lastArrivalMs: ARRIVAL_MS + 5,
        sealedAtMs: clock.nowMs(),
        sealReason: 'flush',
      },
    ])
    expect(await readChunks(tested.store, only(tested.sealed))).toEqual({
      chunks: [
        { ...chunks[0], firstOrdinal: 0 },
        { ...chunks[1], firstOrdinal: 3 },
      ],
      quarantinedCount: 0,
    })
  })

  test(`${name}: appends made at the same time keep their order, and their ordinals`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const texts = Array.from({ length: 200 }, (_, index) => `record ${index}`)
    const appended = await appendAll(
      tested.store,
      target,
      texts.map((text) => chunk(text)),
    )
    await tested.store.seal(target.streamId, 'flush')
    expect(appended.map(({ firstOrdinal }) => firstOrdinal)).toEqual([...texts.keys()])
    expect(await readTexts(tested.store, only(tested.sealed))).toEqual(texts)
  })

  test(`${name}: a batch is sealed rather than grown beyond its size`, async () => {
    await using tested = await open()
    const target = makeTarget({ sizeBytesMax: 10 })
    await appendAll(tested.store, target, [chunk('123456'), chunk('789'), chunk('ab'), chunk('c')])
    await tested.store.seal(target.streamId, 'flush')
    expect(tested.sealed.map(({ dataBytes, sealReason }) => [dataBytes, sealReason])).toEqual([
      [9, 'size'],
      [3, 'flush'],
    ])
  })

  test(`${name}: a batch that has reached its size is sealed at once`, async () => {
    await using tested = await open()
    const target = makeTarget({ sizeBytesMax: 5 })
    await appendAll(tested.store, target, [chunk('12345'), chunk('1234567'), chunk('1')])
    await tested.store.seal(target.streamId, 'drain')
    expect(tested.sealed.map(({ dataBytes, sealReason }) => [dataBytes, sealReason])).toEqual([
      [5, 'size'],
      [7, 'size'],
      [1, 'drain'],
    ])
  })

  test(`${name}: a batch is sealed when it is due by age, and not before`, async () => {
    await using tested = await open()
    const target = makeTarget({ ageMsMax: 300 })
    expect(tested.store.nextDueMs()).toBe(undefined)
    await tested.store.append(target, chunk('a'))
    const dueMs = clock.monotonicMs() + 300
    expect(tested.store.nextDueMs()).toBe(dueMs)
    await tested.store.sealDue(dueMs - 1)
    expect(tested.sealed).toEqual([])
    await tested.store.sealDue(dueMs)
    expect(only(tested.sealed).sealReason).toBe('age')
    expect(tested.store.nextDueMs()).toBe(undefined)
  })

  test(`${name}: limits that were changed hold from the next batch on`, async () => {
    await using tested = await open()
    const target = makeTarget({ sizeBytesMax: 1_000 })
    await tested.store.append(target, chunk('12345'))
    await tested.store.append({ ...target, sizeBytesMax: 3 }, chunk('678'))
    await tested.store.seal(target.streamId, 'update')
    await tested.store.append({ ...target, sizeBytesMax: 3 }, chunk('9ab'))
    await tested.store.sealAll('drain')
    expect(tested.sealed.map(({ dataBytes, sealReason }) => [dataBytes, sealReason])).toEqual([
      [8, 'update'],
      [3, 'size'],
    ])
  })

  test(`${name}: nothing is sealed where nothing is open`, async () => {
    await using tested = await open()
    await tested.store.seal(ids.next(), 'flush')
    await tested.store.sealAll('drain')
    await tested.store.sealDue(Infinity)
    expect(tested.sealed).toEqual([])
  })

  test(`${name}: a drain seals the open batch of every stream`, async () => {
    await using tested = await open()
    const targets = [makeTarget(), makeTarget()]
    for (const target of targets) await tested.store.append(target, chunk('a'))
    await tested.store.sealAll('drain')
    expect(tested.sealed.map(({ streamId }) => streamId).toSorted()).toEqual(
      targets.map(({ streamId }) => streamId),
    )
  })

  test(`${name}: a seal takes along what was appended before it, and nothing after`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const before = tested.store.append(target, chunk('before'))
    const sealed = tested.store.seal(target.streamId, 'flush')
    const after = tested.store.append(target, chunk('after'))
    await Promise.all([before, sealed, after])
    expect(await readTexts(tested.store, only(tested.sealed))).toEqual(['before'])
    expect(await tested.store.openBatches(target.streamId)).toMatchObject([{ recordCount: 1 }])
  })

  test(`${name}: the open batch can be asked for`, async () => {
    await using tested = await open()
    const target = makeTarget()
    expect(await tested.store.openBatches(target.streamId)).toEqual([])
    const { batchId } = await tested.store.append(target, chunk('abc', 'd'))
    expect(await tested.store.openBatches(target.streamId)).toEqual([
      { batchId, state: 'open', recordCount: 2, dataBytes: 4, firstArrivalMs: ARRIVAL_MS },
    ])
  })

  test(`${name}: sealed batches are listed after a restart, oldest first`, async () => {
    await using tested = await open()
    const target = makeTarget({ sizeBytesMax: 1 })
    await appendAll(tested.store, target, [chunk('a'), chunk('b'), chunk('c')])
    await tested.store.sealAll('drain')
    await using restarted = await tested.restart()
    expect(await listed(restarted.store)).toEqual(tested.sealed)
    expect(tested.sealed).toHaveLength(3)
    expect(restarted.store.usage()).toMatchObject({ batchCount: 3 })
  })

  test(`${name}: what was appended to a batch that was open is there after a restart`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const { batchId } = await tested.store.append(target, chunk('a', 'b'))
    await tested.store.append(target, chunk('c'))
    await using restarted = await tested.restart()
    if (restarted.keepsOpen) await restarted.store.seal(target.streamId, 'flush')
    const [batch] = await listed(restarted.store)
    expect(batch).toMatchObject({
      batchId,
      streamId: target.streamId,
      recordCount: 3,
      dataBytes: 3,
      firstArrivalMs: ARRIVAL_MS,
      lastArrivalMs: ARRIVAL_MS,
      sealReason: restarted.keepsOpen ? 'flush' : 'recovery',
    })
    expect(await readTexts(restarted.store, only([batch]))).toEqual(['a', 'b', 'c'])
    expect(await restarted.store.openBatches(target.streamId)).toEqual([])
  })

  test(`${name}: a batch that was removed is gone for good, and removing it again is harmless`, async () => {
    await using tested = await open()
    const target = makeTarget({ sizeBytesMax: 1 })
    await appendAll(tested.store, target, [chunk('a'), chunk('b')])
    await tested.store.sealAll('drain')
    const [first, second] = tested.sealed
    await tested.store.freeze(only([first]), manifestOf(only([first])))
    await tested.store.remove(only([first]))
    const usage = tested.store.usage()
    await tested.store.remove(only([first]))
    expect(tested.store.usage()).toEqual(usage)
    expect(usage).toMatchObject({ batchCount: 1, storedBytes: second?.storedBytes })
    await using restarted = await tested.restart()
    expect(await listed(restarted.store)).toEqual([second])
  })

  test(`${name}: a manifest is kept over a restart, replaced, and thawed`, async () => {
    await using tested = await open()
    const target = makeTarget({ sizeBytesMax: 1 })
    await tested.store.append(target, chunk('a'))
    await tested.store.sealAll('drain')
    const batch = only(tested.sealed)
    const manifest = manifestOf(batch)
    expect(await tested.store.manifest(batch)).toBe(undefined)
    await tested.store.freeze(batch, manifest)
    await tested.store.freeze(batch, { ...manifest, versionId: 2 })
    await using restarted = await tested.restart()
    expect(await restarted.store.manifest(batch)).toEqual({ ...manifest, versionId: 2 })
    await restarted.store.thaw(batch)
    await restarted.store.thaw(batch)
    expect(await restarted.store.manifest(batch)).toBe(undefined)
  })

  test(`${name}: a discarded stream leaves nothing, and may begin again`, async () => {
    await using tested = await open()
    const target = makeTarget({ sizeBytesMax: 2 })
    const other = makeTarget()
    await appendAll(tested.store, target, [chunk('ab'), chunk('c')])
    await tested.store.append(other, chunk('d'))
    await tested.store.discard(target.streamId)
    await tested.store.discard(target.streamId)
    expect(await tested.store.openBatches(target.streamId)).toEqual([])
    expect(tested.store.usage().batchCount).toBe(1)
    await tested.store.append(target, chunk('ef'))
    await tested.store.sealAll('drain')
    expect((await listed(tested.store)).map(({ streamId }) => streamId).toSorted()).toEqual([
      target.streamId,
      other.streamId,
    ])
  })

  test(`${name}: a stream that is spread over lanes loses nothing, and is one stream`, async () => {
    await using tested = await open()
    const target = makeTarget({ sizeBytesMax: 6, laneCount: 3 })
    const texts = Array.from({ length: 20 }, (_, index) => `${index}`.padStart(3, '0'))
    await appendAll(
      tested.store,
      target,
      texts.map((text) => chunk(text)),
    )
    await tested.store.append(target, chunk('open'))
    const unsealed = await tested.store.openBatches(target.streamId)
    expect(unsealed.filter(({ state }) => state === 'open')).toMatchObject([{ recordCount: 1 }])
    await tested.store.seal(target.streamId, 'flush')
    expect(new Set(await listed(tested.store))).toEqual(new Set(tested.sealed))
    const found = await Promise.all(tested.sealed.map((batch) => readTexts(tested.store, batch)))
    expect(found.flat()).toEqual([...texts, 'open'])
    for (const batch of tested.sealed) {
      await tested.store.freeze(batch, manifestOf(batch))
      expect(await tested.store.manifest(batch)).toEqual(manifestOf(batch))
      await tested.store.remove(batch)
    }
    expect(tested.store.usage()).toMatchObject({ batchCount: 0, storedBytes: 0 })
  })

  test(`${name}: appends beyond the quota are refused, until there is room again`, async () => {
    await using tested = await open(10_000_000)
    const target = makeTarget({ sizeBytesMax: 4_000_000 })
    const large = noise(4_000_000)
    await tested.store.append(target, large)
    await tested.store.append(target, large)
    await expect(tested.store.append(target, large)).rejects.toMatchObject({
      name: 'AppendError',
      reason: 'full',
    })
    await tested.store.append(target, chunk('small'))
    await tested.store.sealAll('drain')
    for (const batch of tested.sealed) await tested.store.remove(batch)
    await tested.store.append(target, large)
    expect(tested.store.usage()).toMatchObject({ quotaBytes: 10_000_000, accepting: true })
  })

  test(`${name}: a closed store refuses appends`, async () => {
    await using tested = await open()
    await tested.store.close()
    await expect(tested.store.append(makeTarget(), chunk('a'))).rejects.toThrow(AppendError)
  })
}

export function chunk(...texts: string[]): Chunk {
  return chunkOf(
    texts.map((text) => Buffer.from(text)),
    ARRIVAL_MS,
  )
}

/** A chunk that no compression makes smaller. */
export function noise(sizeBytes: number): Chunk {
  return chunkOf([randomBytes(sizeBytes)], ARRIVAL_MS)
}

export function appendAll(store: BatchStore, target: AppendTarget, chunks: readonly Chunk[]) {
  return Promise.all(chunks.map((chunk) => store.append(target, chunk)))
}

export async function readChunks(store: Pick<BatchStore, 'read'>, batch: SealedBatch) {
  const reading = store.read(batch)
  const chunks: StoredChunk[] = []
  // A payload is only there until the next chunk is asked for.
  for await (const chunk of reading) chunks.push({ ...chunk, payload: Buffer.from(chunk.payload) })
  return { chunks, quarantinedCount: reading.quarantinedCount }
}

export async function readTexts(store: Pick<BatchStore, 'read'>, batch: SealedBatch) {
  const { chunks } = await readChunks(store, batch)
  return chunks.flatMap((chunk) => [...recordsOf(chunk)].map(String))
}

export async function listed(store: BatchStore): Promise<SealedBatch[]> {
  const batches: SealedBatch[] = []
  for await (const batch of store.list()) batches.push(batch)
  return batches
}

export function only<Item>(items: readonly (Item | undefined)[]): Item {
  expect(items).toHaveLength(1)
  return items[0] as Item
}

export function manifestOf({ batchId }: SealedBatch): Manifest {
  return {
    batchId,
    versionId: 1,
    destinationType: 'ExtendedS3',
    destination: { BucketARN: 'arn:aws:s3:::bucket' },
    frozenAtMs: ARRIVAL_MS,
    outputs: [
      {
        kind: 'object',
        target: { bucket: 'bucket', key: 'a/b.gz' },
        accounting: 'delivered',
        recordCount: 1,
        sizeBytes: 1,
        sha256: 'ab',
        formerSha256s: [],
      },
    ],
    droppedCount: 0,
    quarantinedCount: 0,
  }
}
