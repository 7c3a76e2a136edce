import type { BatchId } from '../../batch.ts'
import type { Lane } from '../lanes.ts'

/** A batch of a lane that is not sealed, as far as is known. */
export interface UnsealedBatch extends Lane {
  readonly batchId: BatchId
}

/** The batches that this process has opened, and when they are due in monotonic ms. */
export class OpenedBatches {
  readonly #dueMs = new Map<BatchId, { readonly batch: UnsealedBatch; readonly dueMs: number }>()

  add(batch: UnsealedBatch, dueMs: number): void {
    this.#dueMs.set(batch.batchId, { batch, dueMs })
  }

  delete(batchId: BatchId): void {
    this.#dueMs.delete(batchId)
  }

  deleteStream(streamId: string): void {
    for (const [batchId, { batch }] of this.#dueMs) {
      if (batch.streamId === streamId) this.#dueMs.delete(batchId)
    }
  }

  due(monotonicMs: number): readonly UnsealedBatch[] {
    const due = [...this.#dueMs.values()].filter(({ dueMs }) => dueMs <= monotonicMs)
    return due.map(({ batch }) => batch)
  }

  nextDueMs(): number | undefined {
    let nextMs = Infinity
    for (const { dueMs } of this.#dueMs.values()) nextMs = Math.min(nextMs, dueMs)
    return nextMs === Infinity ? undefined : nextMs
  }
}
