import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemClock } from '../base/clock.ts'
import { BatchIds } from '../batch.ts'
import type { BatchId, Chunk } from '../batch.ts'
import type { Catalog, KnownReplayedPart, ReplayedPart } from '../catalog.ts'
import { CatalogConflict } from '../catalog.ts'
import { recordsOf } from '../chunk.ts'
import type { SourceRecord } from './object-records.ts'
import { ObjectReplay } from './object-replay.ts'
import type { ObjectReplayOptions } from './object-replay.ts'

class Died extends Error {}

/** Catalog and store of a stream. What is made stays; a process that uses them may die at any step. */
class World {
  readonly delivered: string[] = []
  /** The step at which the process dies, counted down; undefined: it lives. */
  stepsLeft: number | undefined
  /** Batches are delivered, and gone from the store, while objects are read. */
  delivers = false
  readonly #parts: ReplayedPart[] = []
  readonly #imported = new Set<BatchId>()
  readonly #held = new Set<BatchId>()
  readonly #ids = new BatchIds(systemClock)

  replay(texts: readonly string[], options: Partial<ObjectReplayOptions> = {}): ObjectReplay {
    return new ObjectReplay({
      catalog: this.#catalog() as Catalog,
      batchIds: this.#ids,
      clock: systemClock,
      streamId: 'stream',
      source: 'bucket/key',
      dryRun: false,
      isSelected: () => true,
      partBytesMax: 1_000,
      partRecordsMax: 3,
      read: () => this.#read(texts),
      admit: async () => {},
      importBatch: (batchId, chunks) => this.#import(batchId, chunks()),
      ...options,
    })
  }

  /** What start-up does: the batches that are there are entered as accepted. */
  restart(): void {
    this.stepsLeft = undefined
    for (const batchId of this.#held) this.#imported.add(batchId)
  }

  #catalog(): Pick<Catalog, 'recordReplay' | 'replayedPart' | 'replayedParts'> {
    return {
      recordReplay: async (part, knownCount) => {
        this.#step()
        if (this.#parts.length !== knownCount) throw new CatalogConflict('Cannot replay: not alone')
        this.#parts.push(part)
        this.#step()
      },
      replayedPart: async (batchId) => this.#known().find((part) => part.batchId === batchId),
      replayedParts: async () => this.#known(),
    }
  }

  #known(): KnownReplayedPart[] {
    return this.#parts.map((part) => ({ ...part, imported: this.#imported.has(part.batchId) }))
  }

  async *#read(texts: readonly string[]): AsyncGenerator<SourceRecord> {
    for (const [index, text] of texts.entries()) {
      this.#step()
      if (this.delivers) this.#deliver()
      yield { index, data: Buffer.from(text), error: undefined }
    }
  }

  async #import(batchId: BatchId, chunks: AsyncIterable<Chunk>): Promise<boolean> {
    this.#step()
    if (this.#held.has(batchId)) return false
    const texts: string[] = []
    for await (const chunk of chunks) texts.push(...[...recordsOf(chunk)].map(String))
    if (texts.length === 0) return false
    this.#step()
    this.#held.add(batchId)
    this.delivered.push(...texts)
    this.#step()
    return true
  }

  #deliver(): void {
    for (const batchId of this.#held) this.#imported.add(batchId)
    this.#held.clear()
  }

  #step(): void {
    if (this.stepsLeft === undefined) return
    if (this.stepsLeft === 0) throw new Died('The process is dead')
    this.stepsLeft -= 1
  }
}

const TEXTS = Array.from({ length: 10 }, (_, index) => `record ${index}`)

test('records go into batches of limited size, in their order', async () => {
  const world = new World()
  const batches: number[] = []
  const replay = world.replay(TEXTS, {
    importBatch: async (_batchId, chunks, recordCount) => {
      batches.push(recordCount)
      for await (const chunk of chunks()) world.delivered.push(...[...recordsOf(chunk)].map(String))
      return true
    },
  })
  await replay.run()
  expect([batches, world.delivered]).toEqual([[3, 3, 3, 1], TEXTS])
})

test('a record larger than a batch should be has one of its own', async () => {
  const world = new World()
  await world.replay(['short', 'x'.repeat(2_000), 'short too']).run()
  expect(world.delivered.map((text) => text.length)).toEqual([5, 2_000, 9])
})

test('a dry run counts what would be replayed, and changes nothing', async () => {
  const world = new World()
  await world.replay(TEXTS, { isSelected: ({ index }) => index < 4 }).run()
  world.restart()
  const dry = world.replay(TEXTS, { dryRun: true, isSelected: ({ index }) => index > 2 })
  await dry.run()
  expect(dry.counts).toEqual({
    readCount: 10,
    selectedCount: 7,
    replayedCount: 0,
    alreadyReplayedCount: 1,
  })
  expect(world.delivered).toHaveLength(4)
})

test('what was entered and not made is not finished when the object has changed', async () => {
  const world = new World()
  world.stepsLeft = 5
  await expect(world.replay(TEXTS.slice(0, 3)).run()).rejects.toThrow(Died)
  world.restart()
  await expect(world.replay(TEXTS.slice(0, 2)).run()).rejects.toThrow(
    'Cannot finish the replay of bucket/key: it has changed',
  )
})

test('an attempt that is repeated counts each record once', async () => {
  const world = new World()
  const replay = world.replay(TEXTS)
  world.stepsLeft = 20
  await expect(replay.run()).rejects.toThrow(Died)
  world.stepsLeft = undefined
  await replay.run()
  expect(replay.counts).toEqual({
    readCount: 10,
    selectedCount: 10,
    replayedCount: 10,
    alreadyReplayedCount: 0,
  })
})

test('of two processes that replay an object at once, one has to stop', async () => {
  const world = new World()
  const late = world.replay(TEXTS, { admit: () => world.replay(TEXTS).run() })
  await expect(late.run()).rejects.toThrow(CatalogConflict)
  expect(world.delivered).toEqual(TEXTS)
})

test('each record arrives once, whatever was selected and wherever the process died', async () => {
  const run = fc.record({
    dies: fc.option(fc.nat(40), { nil: undefined }),
    remainders: fc.uniqueArray(fc.nat(4)),
    restarts: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(run, { maxLength: 6 }), fc.boolean(), async (runs, delivers) => {
      const world = new World()
      world.delivers = delivers
      for (const { dies, remainders, restarts } of runs) {
        world.stepsLeft = dies
        const isSelected = ({ index }: SourceRecord) => remainders.includes(index % 5)
        await world
          .replay(TEXTS, { isSelected })
          .run()
          .catch((error: unknown) => {
            if (!(error instanceof Died)) throw error
          })
        if (restarts) world.restart()
      }
      world.stepsLeft = undefined
      await world.replay(TEXTS).run()
      expect(world.delivered.toSorted()).toEqual(TEXTS.toSorted())
    }),
  )
})
