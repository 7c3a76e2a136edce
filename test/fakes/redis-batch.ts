/** A Redis of its own for a test file, and sealed batches in it as the store leaves them. */
import { BatchIds } from '../../src/batch.ts'
import type { Chunk, SealedBatch } from '../../src/batch.ts'
import type { DataKey } from '../../src/batch-store.ts'
import { parseBackend } from '../../src/backend.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import { chunkDataBytes, chunkOf } from '../../src/chunk.ts'
import { LocalKeyRing } from '../../src/embedded/local-key-ring.ts'
import { RedisBatchContents } from '../../src/redis/store/batch-contents.ts'
import { encodeFrame } from '../../src/redis/store/chunk-frame.ts'
import { CompressionTrial } from '../../src/redis/store/compression-trial.ts'
import { connect } from '../../src/redis/connection.ts'
import { Keys } from '../../src/redis/keys.ts'
import type { BatchThing, LaneThing } from '../../src/redis/keys.ts'
import { Scripts } from '../../src/redis/scripts.ts'
import type { RedisClient, ScriptRunner } from '../../src/redis/scripts.ts'

export interface WrittenBatch {
  /** Texts of the records of each chunk. */
  readonly chunks: readonly (readonly string[])[]
  readonly dataKey?: DataKey
  readonly lane?: number
}

export class RedisBatches implements Disposable {
  readonly client: RedisClient
  readonly keyRing = LocalKeyRing.fromSetting(Buffer.alloc(32, 7).toString('base64'), systemClock)
  readonly contents: RedisBatchContents
  /** Messages of what was logged at WARN and ERROR. */
  readonly complaints: string[] = []
  readonly logger: Logger = {
    debug() {},
    info() {},
    warn: (_fields, message) => void this.complaints.push(message),
    error: (_fields, message) => void this.complaints.push(message),
  }
  readonly #keys: Keys
  readonly #ids = new BatchIds(systemClock)
  readonly #scripts: Scripts

  /** @param url of a Redis; each test has its own prefix there */
  constructor(url: string) {
    const backend = parseBackend(`${url}?prefix=${this.#ids.next()}`)
    if (backend.kind !== 'redis') throw new Error('Cannot test: the backend is not a Redis')
    this.client = connect({ place: backend.place, name: 'test', logger: this.logger })
    this.#keys = new Keys(backend.place.prefix)
    this.#scripts = new Scripts(this.client)
    this.contents = this.#open(this.#scripts)
  }

  /** Contents that run each script twice, and put what would do so once more into `runs`. */
  repeating(runs: (() => Promise<unknown>)[]): RedisBatchContents {
    const repeat = (run: () => Promise<unknown>): Promise<unknown> => {
      runs.push(run)
      return run().then(run)
    }
    return this.#open({
      run: (...call) => repeat(() => this.#scripts.run(...call)),
      runBinary: (...call) => repeat(() => this.#scripts.runBinary(...call)),
    })
  }

  #open(scripts: ScriptRunner): RedisBatchContents {
    return new RedisBatchContents({
      client: this.client,
      scripts,
      durable: scripts,
      keys: this.#keys,
      keyRing: this.keyRing,
      clock: systemClock,
      logger: this.logger,
    })
  }

  key({ streamId, lane, batchId }: SealedBatch, what: BatchThing): string {
    return this.#keys.lane(streamId, lane).ofBatch(what, batchId)
  }

  laneKey({ streamId, lane }: SealedBatch, what: LaneThing): string {
    return this.#keys.lane(streamId, lane).of(what)
  }

  async write(written: WrittenBatch): Promise<SealedBatch> {
    const chunks = written.chunks.map((texts) =>
      chunkOf(
        texts.map((text) => Buffer.from(text)),
        1_000,
      ),
    )
    return await this.writeChunks(chunks, written)
  }

  async writeChunks(
    chunks: Iterable<Chunk>,
    { dataKey, lane }: Omit<WrittenBatch, 'chunks'> = {},
  ): Promise<SealedBatch> {
    const trial = new CompressionTrial()
    const name = { batchId: this.#ids.next(), streamId: this.#ids.next() }
    const sums = { recordCount: 0, dataBytes: 0, storedBytes: 0 }
    const laneKeys = this.#keys.lane(name.streamId, lane)
    const key = (what: BatchThing) => laneKeys.ofBatch(what, name.batchId)
    for (const chunk of chunks) {
      const options = { clock: systemClock, trial, ...(dataKey && { dataKey: dataKey.plain }) }
      const frame = await encodeFrame(chunk, options)
      const entry = Buffer.alloc(16)
      entry.writeUInt32LE(chunk.recordCount, 0)
      entry.writeUInt32LE(frame.byteLength, 4)
      entry.writeUInt32LE(chunkDataBytes(chunk), 8)
      await this.client.rpush(key('chunks'), frame)
      await this.client.append(key('index'), entry)
      sums.recordCount += chunk.recordCount
      sums.dataBytes += chunkDataBytes(chunk)
      sums.storedBytes += frame.byteLength + entry.byteLength
    }
    const batch: SealedBatch = {
      ...name,
      ...sums,
      firstArrivalMs: 1_000,
      lastArrivalMs: 1_000,
      sealedAtMs: 2_000,
      sealReason: 'flush',
      ...(lane !== undefined && { lane }),
    }
    await this.client.hset(key('batch'), {
      facts: JSON.stringify(batch),
      ...(dataKey && { wrappedDataKey: dataKey.wrapped }),
    })
    await this.client.hincrby(laneKeys.of('usage'), 'storedBytes', sums.storedBytes)
    return batch
  }

  /** The batch as a claim has it that was made just now: earlier ones are lost. */
  async claim(batch: SealedBatch, token: string): Promise<SealedBatch> {
    await this.client.hset(this.key(batch, 'entry'), 'heldBy', token)
    return { ...batch, heldBy: token }
  }

  /** All that lies in the batch's lane: values by key. */
  async dump(batch: SealedBatch): Promise<Record<string, string | null>> {
    const prefix = this.laneKey(batch, 'usage').slice(0, -'usage'.length)
    const keys = await this.client.keys(`${prefix}*`)
    const dumps = keys.toSorted().map(async (key) => {
      const value = await this.client.dumpBuffer(key)
      return [key.slice(prefix.length), (value as Buffer | null)?.toString('hex') ?? null] as const
    })
    return Object.fromEntries(await Promise.all(dumps))
  }

  storedBytes(batch: SealedBatch): Promise<number> {
    return this.client.hget(this.laneKey(batch, 'usage'), 'storedBytes').then(Number)
  }

  [Symbol.dispose](): void {
    this.client.disconnect()
  }
}
