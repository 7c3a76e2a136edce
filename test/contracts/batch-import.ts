/** What importBatch of every BatchStore must do. */
import { expect, test } from 'vitest'
import { BatchIds } from '../../src/batch.ts'
import type { Chunk } from '../../src/batch.ts'
import type { AppendTarget } from '../../src/batch-store.ts'
import { LocalKeyRing } from '../../src/embedded/local-key-ring.ts'
import { ARRIVAL_MS, chunk, listed, noise, only, readTexts } from './batch-store.ts'
import type { OpenStore } from './batch-store.ts'
import { ManualClock } from './manual-clock.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')

export function batchImportContract(name: string, openStore: OpenStore): void {
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

  test(`${name}: an import is one sealed batch under its id, with all its chunks`, async () => {
    await using tested = await open()
    const target = makeTarget({ sizeBytesMax: 1 })
    const opened = await tested.store.append({ ...target, sizeBytesMax: 100 }, chunk('open'))
    const batchId = ids.next()
    const chunks = [chunk('a', ''), { ...chunk('bc'), arrivalMs: ARRIVAL_MS + 5 }]
    expect(await tested.store.importBatch(target, batchId, streamOf(chunks), 'replay')).toBe(true)
    const batch = only(tested.sealed)
    expect(batch).toEqual({
      batchId,
      streamId: target.streamId,
      recordCount: 3,
      dataBytes: 3,
      storedBytes: expect.any(Number),
      firstArrivalMs: ARRIVAL_MS,
      lastArrivalMs: ARRIVAL_MS + 5,
      sealedAtMs: clock.nowMs(),
      sealReason: 'replay',
    })
    expect(await readTexts(tested.store, batch)).toEqual(['a', '', 'bc'])
    expect(await tested.store.openBatches(target.streamId)).toMatchObject([
      { batchId: opened.batchId },
    ])
    await using restarted = await tested.restart()
    expect(await listed(restarted.store)).toContainEqual(batch)
  })

  test(`${name}: an import of what is there asks for no chunks, also after a restart`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const batchId = ids.next()
    const imports = [1, 2].map(() =>
      tested.store.importBatch(target, batchId, streamOf([chunk('a')]), 'replay'),
    )
    await Promise.all(imports)
    const usage = tested.store.usage()
    await tested.store.importBatch(target, batchId, neverAsked(), 'replay')
    expect(tested.sealed).toHaveLength(1)
    expect(tested.store.usage()).toEqual(usage)
    await using restarted = await tested.restart()
    const again = await restarted.store.importBatch(target, batchId, neverAsked(), 'replay')
    expect([again, restarted.sealed]).toEqual([false, []])
  })

  test(`${name}: an import of no chunks makes nothing`, async () => {
    await using tested = await open()
    const made = await tested.store.importBatch(makeTarget(), ids.next(), streamOf([]), 'replay')
    expect([made, tested.sealed]).toEqual([false, []])
    expect(tested.store.usage()).toMatchObject({ batchCount: 0, storedBytes: 0 })
  })

  test(`${name}: an import whose chunks fail leaves nothing, and may be repeated`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const batchId = ids.next()
    async function* failing(): AsyncGenerator<Chunk> {
      yield chunk('a')
      throw new Error('Cannot read the rest')
    }
    const failed = tested.store.importBatch(target, batchId, failing(), 'replay')
    await expect(failed).rejects.toThrow('Cannot read the rest')
    expect(tested.store.usage()).toMatchObject({ batchCount: 0, storedBytes: 0 })
    await tested.store.importBatch(target, batchId, streamOf([chunk('a'), chunk('b')]), 'replay')
    expect(await readTexts(tested.store, only(tested.sealed))).toEqual(['a', 'b'])
  })

  test(`${name}: of an import that was under way when the process died nothing is left`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const batchId = ids.next()
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
    const { promise: dead, reject: die } = Promise.withResolvers<never>()
    async function* endless(): AsyncGenerator<Chunk> {
      yield chunk('a')
      reach()
      await dead
    }
    const importing = tested.store.importBatch(target, batchId, endless(), 'replay')
    await reached
    const outcome = Promise.allSettled([importing])
    const restarting = tested.restart()
    die(new Error('The process is dead'))
    expect(await outcome).toMatchObject([{ reason: { message: 'The process is dead' } }])
    await using restarted = await restarting
    expect(await listed(restarted.store)).toEqual([])
    expect(restarted.store.usage()).toMatchObject({ batchCount: 0, storedBytes: 0 })
    await restarted.store.importBatch(target, batchId, streamOf([chunk('b')]), 'replay')
    expect(await readTexts(restarted.store, only(restarted.sealed))).toEqual(['b'])
  })

  test(`${name}: an import takes room, and is refused where there is none`, async () => {
    await using tested = await open(20_000)
    const target = makeTarget()
    const chunks = [noise(9_000), noise(9_000), noise(9_000)]
    const refused = tested.store.importBatch(target, ids.next(), streamOf(chunks), 'replay')
    await expect(refused).rejects.toMatchObject({ name: 'AppendError', reason: 'full' })
    expect(tested.store.usage()).toMatchObject({ batchCount: 0, storedBytes: 0 })
    await tested.store.importBatch(target, ids.next(), streamOf(chunks.slice(0, 1)), 'replay')
    expect(tested.store.usage()).toMatchObject({
      batchCount: 1,
      storedBytes: only(tested.sealed).storedBytes,
    })
  })

  test(`${name}: a discarded stream loses the import under way`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
    const { promise: goneOn, resolve: goOn } = Promise.withResolvers<void>()
    async function* slow(): AsyncGenerator<Chunk> {
      yield chunk('a')
      reach()
      await goneOn
      yield chunk('b')
    }
    const importing = tested.store.importBatch(target, ids.next(), slow(), 'replay')
    const outcome = Promise.allSettled([importing])
    await reached
    const discarded = tested.store.discard(target.streamId)
    goOn()
    await discarded
    expect(await outcome).toMatchObject([{ reason: { name: 'AppendError' } }])
    expect(tested.store.usage()).toMatchObject({ batchCount: 0, storedBytes: 0 })
    expect(await listed(tested.store)).toEqual([])
  })

  test(`${name}: an import into a stream with a data key is read back through the key ring`, async () => {
    await using tested = await open()
    const target = makeTarget({ dataKey: keyRing.makeDataKey() })
    await tested.store.importBatch(target, ids.next(), streamOf([chunk('secret')]), 'replay')
    expect(await readTexts(tested.store, only(tested.sealed))).toEqual(['secret'])
  })
}

async function* streamOf(chunks: readonly Chunk[]): AsyncGenerator<Chunk> {
  yield* chunks
}

// oxlint-disable-next-line require-yield
async function* neverAsked(): AsyncGenerator<Chunk> {
  throw new Error('The chunks were asked for')
}
