import type { Logger } from '../base/logger.ts'
import type { BatchId, SealedBatch } from '../batch.ts'
import type { BatchStore } from '../batch-store.ts'
import type { Catalog } from '../catalog.ts'
import type { DeliveryQueue, StreamQueueStatus } from '../delivery-queue.ts'
import type { Books, Receipt } from '../receipt.ts'

export interface LedgerOptions {
  readonly catalog: Catalog
  readonly store: BatchStore
  readonly queue: DeliveryQueue
  readonly logger: Logger
}

/** `accepted + made = delivered + dropped + errored + quarantined + pending`, at every moment. */
export interface StreamBooks extends Books {
  /** Records accepted and not yet accounted for otherwise, in open and sealed batches. */
  readonly pending: number
}

export interface StreamStatus {
  readonly books: StreamBooks
  readonly queue: StreamQueueStatus
  /** Bytes of the pending records. */
  readonly pendingBytes: number
  /** Arrival of the oldest pending record. */
  readonly oldestArrivalMs: number | undefined
}

/** Keeps the books of all streams (receipt.ts). */
export interface Ledger {
  /** Enters a batch as accepted. */
  sealed(batch: SealedBatch): Promise<void>
  /**
   * Enters what became of a batch. Durable when it resolves.
   * @throws ClaimLost
   */
  delivered(receipt: Receipt, batch: SealedBatch): Promise<void>
  discard(streamId: string): void
  status(streamId: string): Promise<StreamStatus>
}

/**
 * Of one process that has store, queue and catalog to itself. The catalog's books lag behind by what
 * its next transaction holds; what is under way there is counted here.
 */
export class LocalLedger implements Ledger {
  readonly #options: LedgerOptions
  /** Batches sealed whose acceptance is not in the catalog yet. */
  readonly #underWay = new Map<BatchId, SealedBatch>()

  constructor(options: LedgerOptions) {
    this.#options = options
  }

  /** Where the catalog fails, the batch is entered with its receipt. */
  async sealed(batch: SealedBatch): Promise<void> {
    this.#underWay.set(batch.batchId, batch)
    try {
      await this.#options.catalog.recordSealed(batch)
      this.#underWay.delete(batch.batchId)
    } catch (error) {
      const fields = { batchId: batch.batchId, error }
      this.#options.logger.warn(fields, 'A sealed batch is not in the catalog yet.')
    }
  }

  async delivered(receipt: Receipt, batch: SealedBatch): Promise<void> {
    await this.#options.catalog.recordReceipt(receipt, batch)
    this.#underWay.delete(receipt.batchId)
  }

  discard(streamId: string): void {
    for (const batch of this.#underWay.values()) {
      if (batch.streamId === streamId) this.#underWay.delete(batch.batchId)
    }
  }

  async status(streamId: string): Promise<StreamStatus> {
    const { catalog, store, queue: deliveryQueue } = this.#options
    // All are asked before any is waited for: so they tell of the same moment.
    const asked = Promise.all([
      catalog.books(streamId),
      deliveryQueue.status(streamId),
      store.openBatches(streamId),
    ])
    let underWayCount = 0
    for (const batch of this.#underWay.values()) {
      if (batch.streamId === streamId) underWayCount += batch.recordCount
    }
    const [books, queue, open] = await asked
    const openCount = open.reduce((sum, { recordCount }) => sum + recordCount, 0)
    return {
      books: {
        ...books,
        accepted: books.accepted + underWayCount + openCount,
        pending: queue.recordCount + openCount,
      },
      queue,
      pendingBytes: open.reduce((sum, { dataBytes }) => sum + dataBytes, queue.dataBytes),
      oldestArrivalMs: queue.oldestArrivalMs ?? open[0]?.firstArrivalMs,
    }
  }
}
