import type { RedisPlace } from '../../backend.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { BatchId, SealedBatch } from '../../batch.ts'
import type { Catalog, KnownReplayedPart, ReplayedPart } from '../../catalog.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import type { Books, Receipt } from '../../receipt.ts'
import { forLanes } from '../for-lanes.ts'
import { InsistentScripts } from '../insistent-scripts.ts'
import type { Keys, LaneThing } from '../keys.ts'
import { possibleLanes } from '../lanes.ts'
import type { Lanes } from '../lanes.ts'
import { ReceiptTable } from './receipt-table.ts'
import { ReplayTable } from './replay-table.ts'
import type { RedisClient, ScriptRunner } from '../scripts.ts'
import { StreamTable } from './stream-table.ts'
import { watchStreamChanges } from './stream-watch.ts'

export const RECEIPTS_PER_LANE_MAX = 10_000
/** What is said of a deleted stream by a process that has slept is old by then. */
const TOMBSTONE_SECONDS = 86_400
/** What the catalog keeps of a lane. */
export const LANE_THINGS: readonly LaneThing[] = [
  'books',
  'accepted',
  'receipts',
  'delivered',
  'replays',
  'replayorder',
  'imported',
]

export interface RedisCatalogOptions {
  readonly place: RedisPlace
  readonly client: RedisClient
  readonly scripts: ScriptRunner
  readonly durable: ScriptRunner
  readonly keys: Keys
  readonly lanes: Lanes
  readonly clock: Clock
  readonly logger: Logger
  /**
   * Nothing can be entered for the stream any more; what came in since its batches were discarded is to
   * be discarded, too. Absent: there is nobody who appends.
   */
  readonly onGone?: (streamId: string) => Promise<void>
  /** Redis is memory: beyond so many the oldest go; default 10,000. */
  readonly receiptsPerLaneMax?: number
}

/** The Catalog that any number of processes share. What it writes is durable when it resolves. */
export class RedisCatalog implements Catalog {
  readonly #options: RedisCatalogOptions
  readonly #streams: StreamTable
  readonly #receipts: ReceiptTable
  readonly #replays: ReplayTable
  readonly #closing = new AbortController()
  readonly #underWay = new Set<Promise<unknown>>()

  constructor(given: RedisCatalogOptions) {
    const { receiptsPerLaneMax = RECEIPTS_PER_LANE_MAX, clock } = given
    const options = { ...given, durable: new InsistentScripts(given.durable, clock) }
    this.#options = options
    this.#streams = new StreamTable(options)
    this.#receipts = new ReceiptTable({ ...options, receiptsPerLaneMax })
    this.#replays = new ReplayTable(options)
  }

  streams(): Promise<readonly DeliveryStream[]> {
    return this.#streams.all()
  }

  watchStreams(changed: () => Promise<void>, signal: AbortSignal): void {
    const ended = AbortSignal.any([signal, this.#closing.signal])
    void this.#track(watchStreamChanges(this.#options, changed, ended))
  }

  createStream(stream: DeliveryStream): Promise<void> {
    return this.#track(this.#streams.create(stream))
  }

  replaceStream(stream: DeliveryStream): Promise<DeliveryStream> {
    return this.#track(this.#streams.replace(stream))
  }

  deleteStream(streamId: string): Promise<void> {
    return this.#track(this.#delete(streamId))
  }

  recordSealed(batch: SealedBatch): Promise<void> {
    return this.#track(this.#receipts.recordSealed(batch))
  }

  recordReceipt(receipt: Receipt, batch?: SealedBatch): Promise<void> {
    return this.#track(this.#receipts.recordReceipt(receipt, batch))
  }

  receipt(batchId: BatchId): Promise<Receipt | undefined> {
    return this.#receipts.receipt(batchId)
  }

  latestReceipts(streamId: string, limit: number): Promise<readonly Receipt[]> {
    return this.#receipts.latest(streamId, limit)
  }

  books(streamId: string): Promise<Books> {
    return this.#receipts.books(streamId)
  }

  pruneReceipts(deliveredBeforeMs: number): Promise<void> {
    return this.#track(this.#receipts.prune(deliveredBeforeMs))
  }

  recordReplay(part: ReplayedPart, knownCount: number): Promise<void> {
    return this.#track(this.#replays.record(part, knownCount))
  }

  replayedPart(batchId: BatchId): Promise<KnownReplayedPart | undefined> {
    return this.#replays.find(batchId)
  }

  replayedParts(streamId: string, source: string): Promise<readonly KnownReplayedPart[]> {
    return this.#replays.ofSource(streamId, source)
  }

  /** Resolves when what it was asked to write is written; the connections are their owner's to end. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled(this.#underWay)
  }

  /**
   * The stream itself goes last: it remembers that there is work. All lanes that there could be get a
   * tombstone, because another process may be about to enter one. `queue` goes, too: a receipt that came
   * after the queue was discarded has counted there.
   */
  async #delete(streamId: string): Promise<void> {
    const { durable, keys, lanes } = this.#options
    const possible = possibleLanes(streamId)
    await forLanes(possible, ({ lane }) => {
      const laneKeys = keys.lane(streamId, lane)
      const things: LaneThing[] = ['gone', ...LANE_THINGS, 'queue']
      const laneThings = things.map((thing) => laneKeys.of(thing))
      return durable.run('delete-lane', laneThings, [TOMBSTONE_SECONDS])
    })
    await this.#options.onGone?.(streamId)
    await lanes.remove(streamId)
    await this.#streams.remove(streamId)
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const forget = (): void => void this.#underWay.delete(work)
    this.#underWay.add(work)
    work.then(forget, forget)
    return work
  }
}
