/** What every BatchStore must do as the staging area of its batches. */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { BatchIds } from '../../src/batch.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { AppendTarget } from '../../src/batch-store.ts'
import { LocalKeyRing } from '../../src/embedded/local-key-ring.ts'
import type { Staging } from '../../src/staging.ts'
import { chunk, listed, only } from './batch-store.ts'
import type { OpenStore, StoreUnderTest } from './batch-store.ts'
import { ManualClock } from './manual-clock.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const MIB = 1024 * 1024

export function batchStagingContract(name: string, openStore: OpenStore): void {
  const clock = new ManualClock()
  const ids = new BatchIds(clock)
  const keyRing = LocalKeyRing.fromSetting(KEY, clock)
  const open = (quotaBytes = 100_000_000) => openStore({ clock, keyRing, quotaBytes })
  const seal = async (
    { store, sealed }: StoreUnderTest,
    facts: Partial<AppendTarget> = {},
  ): Promise<SealedBatch> => {
    const target = { streamId: ids.next(), sizeBytesMax: 1, ageMsMax: 60_000, ...facts }
    await store.append(target, chunk('a'))
    await store.seal(target.streamId, 'flush')
    return sealed.at(-1) as SealedBatch
  }

  test(`${name}: of a batch that nobody staged nothing is staged`, async () => {
    await using tested = await open()
    expect(await tested.store.staged(await seal(tested))).toBe(undefined)
  })

  test(`${name}: what was finished is read back, in any order, also after a restart`, async () => {
    await using tested = await open()
    const batch = await seal(tested)
    const writer = await tested.store.stage(batch)
    const numbers = []
    for (const text of ['one', '', 'three']) numbers.push(await writer.write(Buffer.from(text)))
    await writer.finish(Buffer.from('{"blocks":3}'))
    expect(numbers).toEqual([0, 1, 2])
    const whole = { index: '{"blocks":3}', blocks: ['three', 'one', '', 'one'] }
    expect(await readStaged(tested.store, batch, [2, 0, 1, 0])).toEqual(whole)
    await using restarted = await tested.restart()
    expect(await readStaged(restarted.store, batch, [2, 0, 1, 0])).toEqual(whole)
    expect(await listed(restarted.store)).toEqual([batch])
  })

  test(`${name}: an index without blocks may be staged, and an empty index`, async () => {
    await using tested = await open()
    const batch = await seal(tested)
    await (await tested.store.stage(batch)).finish(Buffer.from('nothing'))
    expect(await readStaged(tested.store, batch, [])).toEqual({ index: 'nothing', blocks: [] })
    await stageTexts(tested.store, batch, '', 'a')
    expect(await readStaged(tested.store, batch, [0])).toEqual({ index: '', blocks: ['a'] })
  })

  test(`${name}: what is not finished is not there, nor after a restart`, async () => {
    await using tested = await open()
    const batch = await seal(tested)
    const writer = await tested.store.stage(batch)
    await writer.write(Buffer.alloc(2 * MIB, 'x'))
    expect(await tested.store.staged(batch)).toBe(undefined)
    await using restarted = await tested.restart()
    expect(await restarted.store.staged(batch)).toBe(undefined)
    await stageTexts(restarted.store, batch, 'again', 'a')
    expect(await readStaged(restarted.store, batch, [0])).toMatchObject({ index: 'again' })
    await writer.abandon()
    expect(await readStaged(restarted.store, batch, [0])).toMatchObject({ index: 'again' })
  })

  test(`${name}: a second staging takes the place of the first when it is finished`, async () => {
    await using tested = await open()
    const batch = await seal(tested)
    await stageTexts(tested.store, batch, 'first', 'a', 'b')
    const writer = await tested.store.stage(batch)
    await writer.write(Buffer.from('c'))
    expect(await readStaged(tested.store, batch, [1])).toEqual({ index: 'first', blocks: ['b'] })
    await writer.finish(Buffer.from('second'))
    expect(await readStaged(tested.store, batch, [0])).toEqual({ index: 'second', blocks: ['c'] })
  })

  test(`${name}: what is given up leaves what was there before`, async () => {
    await using tested = await open()
    const batch = await seal(tested)
    await stageTexts(tested.store, batch, 'first', 'a')
    const writer = await tested.store.stage(batch)
    await writer.write(Buffer.from('b'))
    await writer.abandon()
    await writer.abandon()
    expect(await readStaged(tested.store, batch, [0])).toEqual({ index: 'first', blocks: ['a'] })
  })

  test(`${name}: giving up what is finished changes nothing`, async () => {
    await using tested = await open()
    const batch = await seal(tested)
    const writer = await tested.store.stage(batch)
    await writer.write(Buffer.from('a'))
    await writer.finish(Buffer.from('whole'))
    await writer.abandon()
    expect(await readStaged(tested.store, batch, [0])).toEqual({ index: 'whole', blocks: ['a'] })
  })

  test(`${name}: what is unstaged is gone for good, and unstaging again is harmless`, async () => {
    await using tested = await open()
    const batch = await seal(tested)
    await stageTexts(tested.store, batch, 'index', 'a')
    await tested.store.unstage(batch)
    await tested.store.unstage(batch)
    expect(await tested.store.staged(batch)).toBe(undefined)
    await using restarted = await tested.restart()
    expect(await restarted.store.staged(batch)).toBe(undefined)
  })

  test(`${name}: what is staged goes with its batch, and with its stream`, async () => {
    await using tested = await open()
    const removed = await seal(tested)
    const discarded = await seal(tested)
    const kept = await seal(tested)
    for (const batch of [removed, discarded, kept]) {
      await stageTexts(tested.store, batch, 'index', batch.batchId)
    }
    await tested.store.remove(removed)
    await tested.store.discard(discarded.streamId)
    for (const batch of [removed, discarded]) {
      expect(await tested.store.staged(batch)).toBe(undefined)
    }
    expect(await readStaged(tested.store, kept, [0])).toMatchObject({ blocks: [kept.batchId] })
  })

  test(`${name}: what is staged takes room, and gives it back`, async () => {
    await using tested = await open()
    const [batch, other] = [await seal(tested), await seal(tested)]
    const bytesBefore = tested.store.usage().storedBytes
    const extraBytes = (store = tested.store) => store.usage().storedBytes - bytesBefore
    const text = noiseText(100_000)
    const another = noiseText(100_000)
    await stageTexts(tested.store, batch, 'index', text, another)
    const largeBytes = extraBytes()
    await stageTexts(tested.store, batch, 'index', text)
    const smallBytes = extraBytes()
    expect(largeBytes).toBeGreaterThan(200_000)
    expect(smallBytes).toBeGreaterThan(100_000)
    expect(smallBytes).toBeLessThan(200_000)
    await using restarted = await tested.restart()
    expect(extraBytes(restarted.store)).toBe(smallBytes)
    await restarted.store.unstage(batch)
    await restarted.store.unstage(batch)
    expect(extraBytes(restarted.store)).toBe(0)
    for (const each of [batch, other]) await stageTexts(restarted.store, each, 'index', text)
    await restarted.store.remove(batch)
    await restarted.store.discard(other.streamId)
    expect(restarted.store.usage()).toMatchObject({ batchCount: 0, storedBytes: 0 })
  })

  test(`${name}: puts are refused while what is staged takes their room, and staging is not`, async () => {
    await using tested = await open(1_000_000)
    const batch = await seal(tested)
    await stageTexts(tested.store, batch, 'index', noiseText(2_000_000))
    const target = { streamId: ids.next(), sizeBytesMax: 1_000_000, ageMsMax: 60_000 }
    const refused = tested.store.append(target, chunk('a'))
    await expect(refused).rejects.toMatchObject({ name: 'AppendError', reason: 'full' })
    await stageTexts(tested.store, batch, 'index', noiseText(3_000_000))
    await tested.store.remove(batch)
    await tested.store.append(target, chunk('a'))
  })

  test(`${name}: the memory of a block is its writer's again, and the reader's own`, async () => {
    await using tested = await open()
    const batch = await seal(tested)
    const writer = await tested.store.stage(batch)
    const shared = Buffer.alloc(6)
    for (const text of ['first ', 'second']) {
      shared.write(text)
      // A view into memory that holds more than the block.
      await writer.write(shared.subarray(0, 5))
    }
    await writer.finish(Buffer.from('index'))
    const staged = await tested.store.staged(batch)
    const first = await staged?.read(0)
    const second = await staged?.read(1)
    await staged?.close()
    expect([String(first), String(second)]).toEqual(['first', 'secon'])
  })

  test(`${name}: blocks of 5 MiB beside small ones are read back as they were`, async () => {
    await using tested = await open()
    const batch = await seal(tested)
    const sizes = [3, 5 * MIB, 700_000, 0, 5 * MIB, 512 * 1024, 1]
    const blocks = sizes.map((sizeBytes, index) => Buffer.alloc(sizeBytes, `block ${index} `))
    const writer = await tested.store.stage(batch)
    for (const block of blocks) await writer.write(block)
    await writer.finish(Buffer.alloc(MIB, 'index'))
    const staged = await tested.store.staged(batch)
    expect(staged?.index.equals(Buffer.alloc(MIB, 'index'))).toBe(true)
    for (const [number, block] of blocks.entries()) {
      const found = await staged?.read(number)
      expect(found?.equals(block)).toBe(true)
    }
    await staged?.close()
  })

  test(`${name}: twenty thousand small blocks are each read back`, async () => {
    await using tested = await open()
    const batch = await seal(tested)
    const texts = Array.from({ length: 20_000 }, (_, number) => `block ${number}`)
    await stageTexts(tested.store, batch, 'index', ...texts)
    const numbers = [...texts.keys()].toReversed()
    expect((await readStaged(tested.store, batch, numbers))?.blocks).toEqual(texts.toReversed())
  })

  test(`${name}: batches are staged side by side, each for itself`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const batches = [await seal(tested, { streamId }), await seal(tested, { streamId })]
    const writers = await Promise.all(batches.map((batch) => tested.store.stage(batch)))
    const work = writers.map(async (writer, index) => {
      for (let count = 0; count < 50; count += 1) await writer.write(Buffer.alloc(50_000, index))
      await writer.finish(Buffer.from(String(index)))
    })
    await Promise.all(work)
    for (const [index, batch] of batches.entries()) {
      const blocks = [String(Buffer.alloc(50_000, index))]
      expect(await readStaged(tested.store, batch, [49])).toEqual({ index: String(index), blocks })
    }
  })

  test(`${name}: what is staged of an encrypted batch is read back through the key ring`, async () => {
    await using tested = await open()
    const batch = await seal(tested, { dataKey: keyRing.makeDataKey() })
    await stageTexts(tested.store, batch, 'first', 'a')
    await stageTexts(tested.store, batch, 'second', 'b', '', 'c')
    await using restarted = await tested.restart()
    expect(await readStaged(restarted.store, only(await listed(restarted.store)), [2, 1])).toEqual({
      index: 'second',
      blocks: ['c', ''],
    })
  })
}

/** Text that no compression brings below so many bytes. */
function noiseText(sizeBytes: number): string {
  return randomBytes(sizeBytes).toString('base64')
}

export async function stageTexts(
  store: Staging,
  batch: SealedBatch,
  index: string,
  ...blocks: readonly string[]
): Promise<void> {
  const writer = await store.stage(batch)
  for (const block of blocks) await writer.write(Buffer.from(block))
  await writer.finish(Buffer.from(index))
}

/** Index and the blocks asked for, as text; undefined when nothing is staged. */
export async function readStaged(store: Staging, batch: SealedBatch, numbers: readonly number[]) {
  const staged = await store.staged(batch)
  if (staged === undefined) return undefined
  try {
    const blocks: string[] = []
    for (const number of numbers) blocks.push(String(await staged.read(number)))
    return { index: String(staged.index), blocks }
  } finally {
    await staged.close()
  }
}
