import type { BatchId, SealedBatch } from '../batch.ts'

/** Batches that a store has sealed, until they are asked for. */
export class SealedBatches {
  readonly #batches = new Map<BatchId, SealedBatch>()

  add(batch: SealedBatch): void {
    this.#batches.set(batch.batchId, batch)
  }

  take(batchId: BatchId): SealedBatch | undefined {
    const batch = this.#batches.get(batchId)
    this.#batches.delete(batchId)
    return batch
  }
}
