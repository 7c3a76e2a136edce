/**
 * What Standpipe knows besides the records: delivery streams, receipts and books. Two
 * implementations: embedded (node:sqlite) and, later, Redis; one contract suite runs over both.
 */
import type { BatchId, SealedBatch } from './batch.ts'
import type { DeliveryStream } from './delivery-stream.ts'
import type { Books, Receipt } from './receipt.ts'

/** The stream was changed, created or removed by somebody else in the meantime. */
export class CatalogConflict extends Error {
  override readonly name = 'CatalogConflict'
}

export interface Catalog {
  /** All streams, by name. */
  streams(): Promise<readonly DeliveryStream[]>
  /** @throws CatalogConflict when a stream of that name exists */
  createStream(stream: DeliveryStream): Promise<void>
  /**
   * Writes `stream` if the stored revision is still `stream.revision`; it is stored as revision + 1.
   * @throws CatalogConflict
   */
  replaceStream(stream: DeliveryStream): Promise<DeliveryStream>
  /** Removes the stream with its receipts and books. Removing twice is harmless. */
  deleteStream(streamId: string): Promise<void>

  /**
   * Enters sealed batches into the books as accepted. Each batch counts once, however often it is
   * entered. Durable when it resolves; calls made together share one transaction.
   */
  recordSealed(batch: SealedBatch): Promise<void>
  /**
   * Enters a receipt, in one transaction with the books. A second receipt for a batch is ignored. A
   * batch not yet entered as accepted is entered now. Durable when it resolves.
   */
  recordReceipt(receipt: Receipt): Promise<void>
  receipt(batchId: BatchId): Promise<Receipt | undefined>
  /** The stream's latest receipts, newest first. */
  latestReceipts(streamId: string, limit: number): Promise<readonly Receipt[]>
  /** `accepted` here counts sealed batches; the open batch's records are the store's to tell. */
  books(streamId: string): Promise<Books>
  /** Forgets receipts delivered before `deliveredBeforeMs`. */
  pruneReceipts(deliveredBeforeMs: number): Promise<void>
  close(): Promise<void>
}
