/**
 * What Standpipe knows besides the records: delivery streams, receipts and books. Two
 * implementations: embedded (node:sqlite) and Redis; one contract suite runs over both.
 */
import type { BatchId, SealedBatch } from './batch.ts'
import type { DeliveryStream } from './delivery-stream.ts'
import type { OrdinalRange } from './manifest.ts'
import type { Books, Receipt } from './receipt.ts'

/** The stream was changed, created or removed by somebody else in the meantime. */
export class CatalogConflict extends Error {
  override readonly name = 'CatalogConflict'
}

/**
 * Records of one source object that a replay has put, or is putting, into one batch. Kept for as long
 * as the stream, so that no record of the object is replayed into it twice.
 */
export interface ReplayedPart {
  /** The stream that the records go to. */
  readonly streamId: string
  /** `bucket/key` of the object that they come from. */
  readonly source: string
  readonly batchId: BatchId
  /** The places in the object from the part's first record to its last. */
  readonly range: OrdinalRange
  /** A RecordSet: which of the records of the range, counted from its beginning. */
  readonly records: string
}

export interface KnownReplayedPart extends ReplayedPart {
  /** The part's batch was entered as accepted, or has a receipt. */
  readonly imported: boolean
}

export interface Catalog {
  /** All streams, by name. */
  streams(): Promise<readonly DeliveryStream[]>
  /**
   * Calls `changed` within a second of each change to the streams that another process makes, and
   * perhaps at other times, until the signal aborts. When it rejects it is called again after a moment.
   */
  watchStreams(changed: () => Promise<void>, signal: AbortSignal): void
  /** @throws CatalogConflict when a stream of that name exists */
  createStream(stream: DeliveryStream): Promise<void>
  /**
   * Writes `stream` if the stored revision is still `stream.revision`; it is stored as revision + 1.
   * @throws CatalogConflict
   */
  replaceStream(stream: DeliveryStream): Promise<DeliveryStream>
  /** Removes the stream with its receipts, books and replayed parts. Removing twice is harmless. */
  deleteStream(streamId: string): Promise<void>

  /**
   * Enters sealed batches into the books as accepted. Each batch counts once, however often it is
   * entered. Durable when it resolves; calls made together share one transaction.
   */
  recordSealed(batch: SealedBatch): Promise<void>
  /**
   * Enters a receipt, in one transaction with the books. A second receipt for a batch is ignored. A
   * batch not yet entered as accepted is entered now. Durable when it resolves.
   * @param batch as it was claimed
   * @throws ClaimLost
   */
  recordReceipt(receipt: Receipt, batch?: SealedBatch): Promise<void>
  receipt(batchId: BatchId): Promise<Receipt | undefined>
  /** The stream's latest receipts, newest first. */
  latestReceipts(streamId: string, limit: number): Promise<readonly Receipt[]>
  /** `accepted` here counts sealed batches; the open batch's records are the store's to tell. */
  books(streamId: string): Promise<Books>
  /** Forgets receipts delivered before `deliveredBeforeMs`. */
  pruneReceipts(deliveredBeforeMs: number): Promise<void>

  /**
   * Enters a part whose batch is about to be made. Durable when it resolves.
   * @param knownCount parts of the source that the caller has seen in the stream
   * @throws CatalogConflict when there are others: somebody else replays it
   */
  recordReplay(part: ReplayedPart, knownCount: number): Promise<void>
  replayedPart(batchId: BatchId): Promise<KnownReplayedPart | undefined>
  /** The parts of a source that a stream has, in the order in which they were entered. */
  replayedParts(streamId: string, source: string): Promise<readonly KnownReplayedPart[]>
  close(): Promise<void>
}
