import type { Clock } from '../../base/clock.ts'
import type { SealedBatch } from '../../batch.ts'
import type { Catalog } from '../../catalog.ts'
import type { Ledger, StreamStatus } from '../../pipeline/ledger.ts'
import type { Receipt } from '../../receipt.ts'
import { sumOfBooks } from './books.ts'
import { forLanes } from '../for-lanes.ts'
import { insist } from '../insist.ts'
import type { Keys } from '../keys.ts'
import { laneStatus } from './lane-status.ts'
import type { Lanes } from '../lanes.ts'
import { sumOfLanes } from '../queue/queue-status.ts'
import type { ScriptRunner } from '../scripts.ts'

export interface RedisLedgerOptions {
  readonly catalog: Pick<Catalog, 'recordReceipt'>
  readonly scripts: ScriptRunner
  readonly keys: Keys
  readonly lanes: Lanes
  readonly clock: Clock
}

/** Whoever looks rather looks again than waits. */
const STATUS_MS = 2_000

/**
 * The books of streams whose batches other processes seal and deliver, too. Each step of a batch is one
 * script, which enters it into the books, and each lane is looked at by one: so they always balance.
 */
export class RedisLedger implements Ledger {
  readonly #options: RedisLedgerOptions

  constructor(options: RedisLedgerOptions) {
    this.#options = options
  }

  /** Nothing to do: the step that sealed the batch has entered it (scripts/shared/seal.lua). */
  async sealed(_batch: SealedBatch): Promise<void> {}

  delivered(receipt: Receipt, batch: SealedBatch): Promise<void> {
    return this.#options.catalog.recordReceipt(receipt, batch)
  }

  /** Nothing of a stream is kept here. */
  discard(_streamId: string): void {}

  async status(streamId: string): Promise<StreamStatus> {
    const { scripts, keys, lanes, clock } = this.#options
    const all = await insist(
      async () => forLanes(await lanes.of(streamId), (lane) => laneStatus(scripts, keys, lane)),
      { clock, withinMs: STATUS_MS },
    )
    const books = sumOfBooks(all.map(({ books }) => books))
    const queue = sumOfLanes(all.map(({ queue }) => queue))
    const openCount = all.reduce((sum, { open }) => sum + open.recordCount, 0)
    const openBytes = all.reduce((sum, { open }) => sum + open.dataBytes, 0)
    const arrivals = [queue.oldestArrivalMs, ...all.map(({ open }) => open.firstArrivalMs)]
    return {
      books: {
        ...books,
        accepted: books.accepted + openCount,
        pending: queue.recordCount + openCount,
      },
      queue,
      pendingBytes: queue.dataBytes + openBytes,
      oldestArrivalMs: oldestOf(arrivals),
    }
  }
}

function oldestOf(arrivals: readonly (number | undefined)[]): number | undefined {
  const known = arrivals.filter((arrivalMs) => arrivalMs !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}
