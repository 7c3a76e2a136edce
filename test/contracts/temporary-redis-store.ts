import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Clock } from '../../src/base/clock.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import { BatchIds } from '../../src/batch.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { AppendTarget, BatchContents } from '../../src/batch-store.ts'
import { recordsOf } from '../../src/chunk.ts'
import { RedisBatchStore } from '../../src/redis/store/batch-lists.ts'
import { decodeFrame } from '../../src/redis/store/chunk-frame.ts'
import { Keys } from '../../src/redis/keys.ts'
import { Lanes } from '../../src/redis/lanes.ts'
import type { RoomLimits } from '../../src/redis/store/memory-room.ts'
import type { UnsealedBatch } from '../../src/redis/store/opened-batches.ts'
import { Scripts } from '../../src/redis/scripts.ts'
import type { ScriptRunner } from '../../src/redis/scripts.ts'

const NO_LIMITS: RoomLimits = {
  quotaBytes: 1_000_000_000,
  batchesMax: 100_000,
  memoryShareMax: 0.75,
}

export interface OpenOptions {
  readonly limits?: Partial<RoomLimits>
  /** Puts itself between the store and Redis. */
  readonly between?: (scripts: ScriptRunner) => ScriptRunner
  /** Default: the same as for all else. */
  readonly durable?: ScriptRunner
}

/** One process of several on a Redis. */
export interface StoreProcess {
  readonly store: RedisBatchStore
  readonly sealed: readonly SealedBatch[]
  readonly opened: readonly UnsealedBatch[]
}

/** A place in Redis of a test's own, and processes that share it. */
export class TemporaryRedisStore implements AsyncDisposable {
  readonly client: Redis
  readonly keys = new Keys(`test-${randomBytes(8).toString('hex')}`)
  readonly clock: Clock
  /** Messages of what was logged at WARN and ERROR. */
  readonly complaints: string[] = []
  readonly #clients: Redis[]
  readonly #url: string
  readonly #ids: BatchIds

  constructor(url: string, clock: Clock = systemClock) {
    this.#url = url
    this.clock = clock
    this.client = new Redis(url)
    this.#clients = [this.client]
    this.#ids = new BatchIds(clock)
  }

  target(facts: Partial<AppendTarget> = {}): AppendTarget {
    return { streamId: this.#ids.next(), sizeBytesMax: 1_000_000, ageMsMax: 60_000, ...facts }
  }

  async open(options: OpenOptions = {}): Promise<StoreProcess & { readonly client: Redis }> {
    const { limits = {}, between = (scripts) => scripts } = options
    const client = new Redis(this.#url)
    // What goes wrong is what its commands reject with.
    client.on('error', () => undefined)
    this.#clients.push(client)
    const scripts = between(new Scripts(client))
    const logger: Logger = {
      debug() {},
      info() {},
      warn: (_fields, message) => void this.complaints.push(message),
      error: (_fields, message) => void this.complaints.push(message),
    }
    const sealed: SealedBatch[] = []
    const opened: UnsealedBatch[] = []
    const store = await RedisBatchStore.open({
      client,
      scripts,
      durable: options.durable ?? scripts,
      keys: this.keys,
      lanes: new Lanes(client, new Scripts(client), this.keys),
      // Not asked by the tests that use this.
      contents: {} as BatchContents,
      clock: this.clock,
      logger,
      limits: { ...NO_LIMITS, ...limits },
      onSealed: (batch) => sealed.push(batch),
      onOpened: (batch) => opened.push(batch),
    })
    return { store, sealed, opened, client }
  }

  /** The batch's records as they lie in Redis, by ordinal. */
  async texts({ streamId, lane, batchId }: SealedBatch, dataKey?: Buffer): Promise<string[]> {
    const key = this.keys.lane(streamId, lane).ofBatch('chunks', batchId)
    const frames = await this.client.lrangeBuffer(key, 0, -1)
    const chunks = frames.map((frame) => decodeFrame(frame, dataKey))
    return chunks.flatMap((chunk) => [...recordsOf(chunk)].map(String))
  }

  keysLeft(): Promise<string[]> {
    return this.client.keys(`${this.keys.prefix}:*`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.disconnect()
    await Promise.resolve()
  }
}
