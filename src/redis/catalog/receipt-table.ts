import type { BatchId, SealedBatch } from '../../batch.ts'
import { ClaimLost } from '../../batch.ts'
import { decodeReceipt, encodeReceipt } from '../../pipeline/receipt-json.ts'
import type { Books, Receipt } from '../../receipt.ts'
import { BOOK_COLUMNS, booksOf, entriesOf, sumOfBooks } from './books.ts'
import { findInLanes, forLanes } from '../for-lanes.ts'
import type { Keys, LaneKeys, LaneThing } from '../keys.ts'
import type { Lane, Lanes } from '../lanes.ts'
import type { RedisClient, ScriptRunner } from '../scripts.ts'

const PRUNED_AT_ONCE = 500
/** Answers of the scripts, besides 1 (entered) and 0 (was there). */
const CLAIM_LOST = -1
const GONE = -2

export interface ReceiptTableOptions {
  readonly client: RedisClient
  readonly scripts: ScriptRunner
  readonly durable: ScriptRunner
  readonly keys: Keys
  readonly lanes: Lanes
  /** A lane keeps so many; the oldest go first. */
  readonly receiptsPerLaneMax: number
}

/** Receipts and books, both in the lane of their batch. What concerns a deleted stream is not entered. */
export class ReceiptTable {
  readonly #options: ReceiptTableOptions

  constructor(options: ReceiptTableOptions) {
    this.#options = options
  }

  async recordSealed({ batchId, streamId, lane = 0, recordCount }: SealedBatch): Promise<void> {
    await this.#options.lanes.enter(streamId, lane + 1)
    const laneKeys = this.#options.keys.lane(streamId, lane)
    const things: LaneThing[] = ['gone', 'receipts', 'accepted', 'books', 'replays', 'imported']
    const keys = things.map((thing) => laneKeys.of(thing))
    const answer = await this.#options.durable.run('record-sealed', keys, [batchId, recordCount])
    if (answer === GONE) await this.#options.lanes.remove(streamId)
  }

  /** @throws ClaimLost */
  async recordReceipt(receipt: Receipt, batch?: SealedBatch): Promise<void> {
    const { batchId, streamId, deliveredAtMs, recordCount, dataBytes } = receipt
    const { durable, keys, lanes, receiptsPerLaneMax } = this.#options
    const { lane = 0, heldBy = '' } = batch ?? {}
    // Where a batch was claimed the lane is known, and a Redis that is full would refuse to enter it.
    if (heldBy === '') await lanes.enter(streamId, lane + 1)
    const laneKeys = keys.lane(streamId, lane)
    const things: LaneThing[] = [
      'receipts',
      'accepted',
      'books',
      'replays',
      'imported',
      'delivered',
      'queued',
      'queue',
    ]
    const answer = await durable.run(
      'record-receipt',
      [
        laneKeys.of('gone'),
        laneKeys.ofBatch('entry', batchId),
        ...things.map((thing) => laneKeys.of(thing)),
      ],
      [
        batchId,
        heldBy,
        Buffer.from(encodeReceipt(receipt)),
        deliveredAtMs,
        recordCount,
        dataBytes,
        receiptsPerLaneMax,
        ...Object.entries(entriesOf(receipt)).flat(),
      ],
    )
    if (answer === GONE) await lanes.remove(streamId)
    if (answer === CLAIM_LOST) {
      throw new ClaimLost(`Cannot commit batch ${batchId}: another worker has claimed it`)
    }
  }

  async receipt(batchId: BatchId): Promise<Receipt | undefined> {
    const { client, lanes } = this.#options
    return findInLanes(await lanes.all(), async (lane) => {
      const stored = await client.hgetBuffer(this.#keysOf(lane).of('receipts'), batchId)
      return stored === null ? undefined : decodeReceipt(stored)
    })
  }

  /** The stream's latest receipts, newest first. */
  async latest(streamId: string, limit: number): Promise<Receipt[]> {
    if (limit < 1) return []
    const lanes = await this.#options.lanes.of(streamId)
    const receipts = await forLanes(lanes, (lane) => this.#latestOf(lane, limit))
    return receipts
      .flat()
      .toSorted((a, b) => b.deliveredAtMs - a.deliveredAtMs || (a.batchId < b.batchId ? 1 : -1))
      .slice(0, limit)
  }

  async books(streamId: string): Promise<Books> {
    const { client, lanes } = this.#options
    const books = await forLanes(await lanes.of(streamId), async (lane) =>
      booksOf(await client.hmget(this.#keysOf(lane).of('books'), ...BOOK_COLUMNS)),
    )
    return sumOfBooks(books)
  }

  async prune(deliveredBeforeMs: number): Promise<void> {
    const { scripts, lanes } = this.#options
    const beforeMs = Math.min(deliveredBeforeMs, Number.MAX_SAFE_INTEGER)
    for (const lane of await lanes.all()) {
      const laneKeys = this.#keysOf(lane)
      const keys = [laneKeys.of('receipts'), laneKeys.of('delivered')]
      for (;;) {
        const count = await scripts.run('prune-receipts', keys, [beforeMs, PRUNED_AT_ONCE])
        if (Number(count) < PRUNED_AT_ONCE) break
      }
    }
  }

  async #latestOf(lane: Lane, limit: number): Promise<Receipt[]> {
    const { client } = this.#options
    const laneKeys = this.#keysOf(lane)
    const ids = await client.zrevrange(laneKeys.of('delivered'), 0, limit - 1)
    if (ids.length === 0) return []
    const stored = await client.hmgetBuffer(laneKeys.of('receipts'), ...ids)
    // One may have been forgotten in between.
    return stored.filter((receipt) => receipt !== null).map(decodeReceipt)
  }

  #keysOf({ streamId, lane }: Lane): LaneKeys {
    return this.#options.keys.lane(streamId, lane)
  }
}
