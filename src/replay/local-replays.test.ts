import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { systemClock } from '../base/clock.ts'
import { silentLogger } from '../base/logger.ts'
import { BatchIds } from '../batch.ts'
import type { BatchId, Chunk } from '../batch.ts'
import type { BatchStore } from '../batch-store.ts'
import type { Catalog, ReplayedPart } from '../catalog.ts'
import { CatalogConflict } from '../catalog.ts'
import { recordsOf } from '../chunk.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import { DeliveryError } from '../destination.ts'
import type { ObjectReader, ObjectStore } from '../object-store.ts'
import type { Intake } from '../pipeline/intake.ts'
import type { StreamRegistry } from '../pipeline/stream-registry.ts'
import type { ReplayRequest, ReplayStatus } from '../replay.ts'
import { LocalReplays } from './local-replays.ts'

const NOW_MS = Date.UTC(2026, 10, 21)
const SOURCE = { bucket: 'b', prefix: '' }

function streamOf(name: string): DeliveryStream {
  return { streamId: name, name, status: 'ACTIVE' } as DeliveryStream
}

function requestInto(name: string, facts: Partial<ReplayRequest> = {}): ReplayRequest {
  return {
    stream: streamOf(name),
    target: streamOf(name),
    source: SOURCE,
    dryRun: false,
    ...facts,
  }
}

interface TestObject {
  readonly key: string
  readonly lines: readonly string[]
  readonly lastModifiedMs?: number
  /** Lines that can be read before the connection breaks, time by time. */
  readonly breaksAfter?: number[]
}

class World implements AsyncDisposable {
  readonly delivered: string[] = []
  closed = false
  readonly replays: LocalReplays
  readonly #objects: readonly TestObject[]
  readonly #parts: ReplayedPart[] = []
  readonly #imported = new Set<BatchId>()

  constructor(objects: readonly TestObject[]) {
    this.#objects = objects
    this.replays = new LocalReplays({
      openStore: async () => this.#store(),
      registry: { byId: streamOf } as unknown as StreamRegistry,
      intake: {
        batchBytesMax: () => 10,
        import: (_stream: unknown, batchId: BatchId, chunks: AsyncIterable<Chunk>) =>
          this.#import(batchId, chunks),
      } as unknown as Intake,
      store: { usage: () => ({ storedBytes: 0, quotaBytes: 1 }) } as unknown as BatchStore,
      catalog: this.#catalog() as Catalog,
      batchIds: new BatchIds(systemClock),
      clock: { ...systemClock, nowMs: () => NOW_MS, sleep: async () => {} },
      logger: silentLogger,
    })
  }

  async run(request: ReplayRequest): Promise<ReplayStatus> {
    const { replayId } = this.replays.start(request)
    const { name } = request.stream
    while (this.replays.find(name, replayId)?.state === 'running') await nextTurn()
    return this.replays.find(name, replayId) as ReplayStatus
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.replays.close()
  }

  #catalog(): Pick<Catalog, 'recordReplay' | 'replayedPart' | 'replayedParts'> {
    const known = () =>
      this.#parts.map((part) => ({ ...part, imported: this.#imported.has(part.batchId) }))
    return {
      recordReplay: async (part, knownCount) => {
        const { length } = this.#parts.filter(({ source }) => source === part.source)
        if (length !== knownCount) throw new CatalogConflict('Cannot replay: not alone')
        this.#parts.push(part)
      },
      replayedPart: async (batchId) => known().find((part) => part.batchId === batchId),
      replayedParts: async (_streamId, source) => known().filter((part) => part.source === source),
    }
  }

  #store(): ObjectReader & Pick<ObjectStore, 'close'> {
    const objects = this.#objects
    return {
      async *list() {
        for (const { key, lastModifiedMs = 0 } of objects) {
          yield { key, sizeBytes: 0, lastModifiedMs }
        }
      },
      async get(_bucket, key) {
        return { bytes: readObject(objects.find((object) => object.key === key)) }
      },
      close: async () => {
        this.closed = true
      },
    }
  }

  async #import(batchId: BatchId, chunks: AsyncIterable<Chunk>): Promise<boolean> {
    for await (const chunk of chunks) this.delivered.push(...[...recordsOf(chunk)].map(String))
    this.#imported.add(batchId)
    return true
  }
}

async function* readObject(object: TestObject | undefined): AsyncGenerator<Buffer> {
  const { lines = [], breaksAfter = [] } = object ?? {}
  const readable = breaksAfter.shift() ?? Infinity
  for (const [index, line] of lines.entries()) {
    if (index === readable) {
      const options = { retryable: true, effect: 'none' } as const
      throw new DeliveryError('S3.ConnectionFailed', 'Cannot get b/key: it broke', options)
    }
    yield Buffer.from(line)
  }
}

function linesOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `line ${String(index).padStart(2, '0')}\n`)
}

test('an object whose reading breaks again and again is replayed as long as it comes further', async () => {
  const lines = linesOf(30)
  const breaksAfter = Array.from({ length: 14 }, (_, index) => (index + 1) * 2)
  await using world = new World([{ key: 'key', lines, breaksAfter }])
  expect(await world.run(requestInto('logs'))).toMatchObject({
    state: 'completed',
    message: undefined,
    counts: { objectCount: 1, readCount: 30, replayedCount: 30, alreadyReplayedCount: 0 },
  })
  expect(world.delivered).toEqual(lines)
})

test('an object that comes no further fails the replay with the reason', async () => {
  const breaksAfter = Array.from({ length: 8 }, () => 1)
  await using world = new World([{ key: 'key', lines: linesOf(3), breaksAfter }])
  expect(await world.run(requestInto('logs'))).toMatchObject({
    state: 'failed',
    message: 'Cannot get b/key: it broke',
    counts: { objectCount: 0 },
  })
})

test('what was written after the replay began is left to the next one', async () => {
  await using world = new World([
    { key: 'old', lines: ['old\n'], lastModifiedMs: NOW_MS },
    { key: 'new', lines: ['new\n'], lastModifiedMs: NOW_MS + 1 },
  ])
  await world.run(requestInto('logs'))
  expect(world.delivered).toEqual(['old\n'])
})

test('one replay at a time runs into a stream, and four in all', async () => {
  await using world = new World([])
  for (const name of ['a', 'b', 'c']) world.replays.start(requestInto(name))
  const { replayId } = world.replays.start(requestInto('d'))
  expect(() => world.replays.start(requestInto('d'))).toThrow(
    `Cannot begin: replay ${replayId} is running into d`,
  )
  expect(() => world.replays.start(requestInto('e'))).toThrow('Cannot begin: 4 replays are running')
})

test('of the replays that have ended the latest are remembered', async () => {
  await using world = new World([])
  for (let count = 0; count < 103; count += 1) await world.run(requestInto('logs'))
  expect(world.replays.list('logs')).toHaveLength(100)
})

test('closing ends what runs, closes the store, and lets nothing begin', async () => {
  const world = new World([{ key: 'key', lines: linesOf(30) }])
  const { replayId } = world.replays.start(requestInto('logs'))
  await world.replays.close()
  expect([world.replays.find('logs', replayId)?.state, world.closed]).toEqual(['cancelled', true])
  expect(() => world.replays.start(requestInto('logs'))).toThrow('Cannot begin')
})
