import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { SealedBatch, SealReason } from '../batch.ts'
import type { OpenBatch } from '../batch-store.ts'
import type { BatchWriter } from './batch-writer.ts'
import { FOOTER_BYTES } from './batch-file.ts'
import type { Room } from './room.ts'

const RETRY_MS = 1_000

export interface SealerOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly room: Room
  readonly onSealed: (batch: SealedBatch) => void
}

interface Unsealed {
  readonly reason: SealReason
  readonly retryAtMs: number
}

/** Seals batches and announces them. A disk that is full or failing delays that, and loses nothing. */
export class Sealer {
  readonly #options: SealerOptions
  /** Batches that take no more chunks and are not announced yet. */
  readonly #sealing = new Set<BatchWriter>()
  /** Those of them whose seal failed. */
  readonly #unsealed = new Map<BatchWriter, Unsealed>()

  constructor(options: SealerOptions) {
    this.#options = options
  }

  /** Never rejects: what fails is tried again by `retryDue`. */
  async seal(batch: BatchWriter, reason: SealReason): Promise<void> {
    const { clock, logger, room, onSealed } = this.#options
    this.#sealing.add(batch)
    let sealed: SealedBatch
    try {
      sealed = await batch.seal(reason, clock.nowMs())
    } catch (error) {
      const { streamId, batchId } = batch
      logger.warn({ streamId, batchId, error }, 'A batch could not be sealed; it is tried again.')
      this.#unsealed.set(batch, { reason, retryAtMs: clock.monotonicMs() + RETRY_MS })
      return
    }
    room.take(FOOTER_BYTES, 0)
    // In one go, so that whoever looks finds the batch on one side or the other.
    this.#sealing.delete(batch)
    onSealed(sealed)
  }

  /** Of a stream, oldest first. */
  sealing(streamId: string): readonly OpenBatch[] {
    const batches = [...this.#sealing].filter((batch) => batch.streamId === streamId)
    return batches.map(({ batchId, recordCount, dataBytes, firstArrivalMs }) => ({
      batchId,
      state: 'sealing',
      recordCount,
      dataBytes,
      firstArrivalMs,
    }))
  }

  nextDueMs(): number | undefined {
    const dueMs = Math.min(...[...this.#unsealed.values()].map(({ retryAtMs }) => retryAtMs))
    return dueMs === Infinity ? undefined : dueMs
  }

  async retryDue(monotonicMs: number): Promise<void> {
    for (const [batch, { reason, retryAtMs }] of this.#unsealed) {
      if (retryAtMs > monotonicMs) continue
      this.#unsealed.delete(batch)
      await this.seal(batch, reason)
    }
  }

  /** Gives up the unsealed batches of a stream, or of all. */
  async close(streamId?: string): Promise<void> {
    for (const batch of this.#unsealed.keys()) {
      if (streamId !== undefined && batch.streamId !== streamId) continue
      this.#unsealed.delete(batch)
      this.#sealing.delete(batch)
      await batch.close()
    }
  }
}
