import type { BatchId } from '../../batch.ts'
import type { CatalogTransfer } from '../../catalog-transfer.ts'
import type { KnownReplayedPart } from '../../catalog.ts'
import { decodeReceipt, encodeReceipt } from '../../pipeline/receipt-json.ts'
import { EMPTY_BOOKS } from '../../receipt.ts'
import type { Books, Receipt } from '../../receipt.ts'
import { LANE_THINGS, RECEIPTS_PER_LANE_MAX } from './catalog.ts'
import { forLanes } from '../for-lanes.ts'
import type { Keys, LaneThing } from '../keys.ts'
import { possibleLanes } from '../lanes.ts'
import type { Lane, Lanes } from '../lanes.ts'
import { ReplayTable } from './replay-table.ts'
import type { RedisClient, ScriptRunner } from '../scripts.ts'

/** Receipts may be large. */
const RECEIPTS_PER_PAGE = 50

export interface RedisCatalogTransferOptions {
  readonly client: RedisClient
  readonly durable: ScriptRunner
  readonly keys: Keys
  readonly lanes: Lanes
  /** As the catalog's own; default 10,000. */
  readonly receiptsPerLaneMax?: number
}

/** What is restored is in lane 0, wherever it was before: it only counts in sum. */
export class RedisCatalogTransfer implements CatalogTransfer {
  readonly #options: RedisCatalogTransferOptions
  readonly #replays: ReplayTable

  constructor(options: RedisCatalogTransferOptions) {
    this.#options = options
    this.#replays = new ReplayTable(options)
  }

  async hasReceipt(streamId: string, batchId: BatchId): Promise<boolean> {
    const { client, keys, lanes } = this.#options
    const found = await forLanes(await lanes.of(streamId), ({ lane }) =>
      client.hexists(keys.lane(streamId, lane).of('receipts'), batchId),
    )
    return found.includes(1)
  }

  async *receipts(streamId: string): AsyncGenerator<readonly Receipt[]> {
    for (const lane of await this.#options.lanes.of(streamId)) yield* this.#receiptsOf(lane)
  }

  /** A page for each source. */
  async *replays(streamId: string): AsyncGenerator<readonly KnownReplayedPart[]> {
    const { client, keys } = this.#options
    for (const source of await client.hkeys(keys.lane(streamId).of('replayorder'))) {
      const parts = await this.#replays.ofSource(streamId, source)
      if (parts.length > 0) yield parts
    }
  }

  async restoreBooks(streamId: string, books: Books): Promise<void> {
    const { durable, keys, lanes } = this.#options
    const things: LaneThing[] = ['gone', ...LANE_THINGS.filter((thing) => thing !== 'books')]
    const possible = possibleLanes(streamId)
    await forLanes(possible, ({ lane }) => {
      const laneKeys = keys.lane(streamId, lane)
      const columns = lane === 0 ? Object.entries({ ...EMPTY_BOOKS, ...books }).flat() : []
      const names = [laneKeys.of('books'), ...things.map((thing) => laneKeys.of(thing))]
      return durable.run('restore-lane', names, columns)
    })
    await lanes.enter(streamId)
  }

  async restoreReceipts(streamId: string, receipts: readonly Receipt[]): Promise<void> {
    const { durable, keys, receiptsPerLaneMax = RECEIPTS_PER_LANE_MAX } = this.#options
    const laneKeys = keys.lane(streamId)
    const entries = receipts.flatMap((receipt) => [
      receipt.batchId,
      Buffer.from(encodeReceipt(receipt)),
      receipt.deliveredAtMs,
    ])
    await durable.run(
      'restore-receipts',
      [laneKeys.of('receipts'), laneKeys.of('delivered')],
      [receiptsPerLaneMax, ...entries],
    )
  }

  async restoreReplays(streamId: string, parts: readonly KnownReplayedPart[]): Promise<void> {
    const { durable, keys } = this.#options
    const laneKeys = keys.lane(streamId)
    const entries = parts.flatMap(({ imported, ...part }) => [
      part.batchId,
      part.source,
      JSON.stringify(part),
      imported ? 1 : 0,
    ])
    await durable.run(
      'restore-replays',
      [laneKeys.of('replays'), laneKeys.of('replayorder'), laneKeys.of('imported')],
      entries,
    )
  }

  /** Oldest first. */
  async *#receiptsOf({ streamId, lane }: Lane): AsyncGenerator<readonly Receipt[]> {
    const { client, keys } = this.#options
    const laneKeys = keys.lane(streamId, lane)
    for (let start = 0; ; start += RECEIPTS_PER_PAGE) {
      const end = start + RECEIPTS_PER_PAGE - 1
      const batchIds = await client.zrange(laneKeys.of('delivered'), `${start}`, `${end}`)
      if (batchIds.length === 0) return
      const stored = await client.hmgetBuffer(laneKeys.of('receipts'), ...batchIds)
      const receipts = stored.filter((receipt) => receipt !== null).map(decodeReceipt)
      if (receipts.length > 0) yield receipts
    }
  }
}
