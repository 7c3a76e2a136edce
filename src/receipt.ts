import type { BatchId } from './batch.ts'
import type { Accounting, OrdinalRange, ProcessingSummary } from './manifest.ts'
import type { Json } from './base/json.ts'

/** What became of a batch; kept after the batch is gone, so that a record id can be answered for. */
export interface Receipt {
  readonly batchId: BatchId
  readonly streamId: string
  readonly streamName: string
  /** As intake counted them. */
  readonly recordCount: number
  readonly dataBytes: number
  readonly firstArrivalMs: number
  readonly sealedAtMs: number
  readonly deliveredAtMs: number
  /** Attempts in the process that delivered it. */
  readonly attempts: number
  readonly outputs: readonly ReceiptOutput[]
  readonly droppedCount: number
  /** Records that processors made out of others by splitting them; absent: none. */
  readonly madeCount?: number
  readonly quarantinedCount: number
  /** Present when processors ran. */
  readonly processing?: ProcessingSummary
}

export interface ReceiptOutput {
  readonly kind: string
  readonly target: Json
  readonly accounting: Accounting
  /** Records that arrived there. */
  readonly recordCount: number
  /** Which of the batch's records were meant for it; absent: all. */
  readonly range?: OrdinalRange
  /** Of those, the ones that it did not take (a RecordSet); they are in the error output. */
  readonly refused?: string
  readonly attempts: number
  readonly sizeBytes: number
}

/**
 * The books of a stream, in records, over its whole life. They balance when
 * `accepted + made = delivered + dropped + errored + quarantined + pending`, where `accepted` was counted
 * at intake, `made` are records that a processor split off others, the middle ones from receipts, and `pending` is what the store really holds.
 */
export interface Books {
  readonly accepted: number
  readonly made: number
  readonly delivered: number
  readonly dropped: number
  readonly errored: number
  readonly quarantined: number
}

export const EMPTY_BOOKS: Books = {
  accepted: 0,
  made: 0,
  delivered: 0,
  dropped: 0,
  errored: 0,
  quarantined: 0,
}
