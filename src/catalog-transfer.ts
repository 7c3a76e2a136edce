/**
 * What moving a stream from one backend to another asks of a catalog, besides the Catalog itself: all of
 * what it keeps, and a way to enter it elsewhere without the deliveries that it came from. Nothing else
 * works on either catalog meanwhile. Two implementations, as of the Catalog; one contract suite runs over
 * both (test/contracts/catalog-transfer.ts).
 */
import type { BatchId } from './batch.ts'
import type { KnownReplayedPart } from './catalog.ts'
import type { Books, Receipt } from './receipt.ts'

export interface CatalogTransfer {
  hasReceipt(streamId: string, batchId: BatchId): Promise<boolean>
  /** All receipts of a stream, in pages, none of them empty. */
  receipts(streamId: string): AsyncIterable<readonly Receipt[]>
  /** All replayed parts of a stream, in pages; those of one source in the order of their entry. */
  replays(streamId: string): AsyncIterable<readonly KnownReplayedPart[]>

  /**
   * Forgets all that is known of a stream that is not in the catalog, also that it was deleted, and
   * enters its books. What is below comes after this.
   */
  restoreBooks(streamId: string, books: Books): Promise<void>
  /** Enters receipts that are in the books already; a catalog that is bounded keeps the latest. */
  restoreReceipts(streamId: string, receipts: readonly Receipt[]): Promise<void>
  restoreReplays(streamId: string, parts: readonly KnownReplayedPart[]): Promise<void>
}
