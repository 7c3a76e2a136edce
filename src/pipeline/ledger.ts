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

/**
 * Keeps the books of all streams (receipt.ts). The catalog's books lag behind by what its next
 * transaction holds; what is under way there is counted here.
 */
export class Ledger {
  readonly #options: LedgerOptions
  /** Batches sealed whose acceptance is not in the catalog yet. */
  readonly #underWay = new Map<BatchId, SealedBatch>()

  constructor(options: LedgerOptions) {
    this.#options = options
  }

  /** Enters a batch as accepted. Where the catalog fails, the batch is entered with its receipt. */
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

  /** Enters what became of a batch. Durable when it resolves. */
  async delivered(receipt: Receipt): Promise<void> {
    await this.#options.catalog.recordReceipt(receipt)
    this.#underWay.delete(receipt.batchId)
  }

  discard(streamId: string): void {
    for (const batch of this.#underWay.values()) {
      if (batch.streamId === streamId) this.#underWay.delete(batch.batchId)
    }
  }

  async status(streamId: string): Promise<StreamStatus> {
    const { catalog, store, queue: deliveryQueue } = this.#options
    const [books, queue] = await Promise.all([
      catalog.books(streamId),
      deliveryQueue.status(streamId),
    ])
    const open = store.openBatch(streamId)
    const unsealed = [...store.sealingBatches(streamId), ...(open === undefined ? [] : [open])]
    const unsealedCount = unsealed.reduce((sum, { recordCount }) => sum + recordCount, 0)
    let underWayCount = 0
    for (const batch of this.#underWay.values()) {
      if (batch.streamId === streamId) underWayCount += batch.recordCount
    }
    return {
      books: {
        ...books,
        accepted: books.accepted + underWayCount + unsealedCount,
        pending: queue.recordCount + unsealedCount,
      },
      queue,
      pendingBytes: unsealed.reduce((sum, { dataBytes }) => sum + dataBytes, queue.dataBytes),
      oldestArrivalMs: queue.oldestArrivalMs ?? unsealed[0]?.firstArrivalMs,
    }
  }
}
