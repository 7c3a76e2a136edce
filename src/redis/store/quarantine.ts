import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { SealedBatch } from '../../batch.ts'
import type { ChunkPlace } from './chunk-index.ts'
import { gone } from './sealed-batches.ts'
import type { SealedBatches } from './sealed-batches.ts'

/** Of one lane; the oldest go first. */
const CHUNKS_MAX = 1_000
const BYTES_MAX = 64 * 1024 * 1024

export interface QuarantineOptions {
  readonly batches: SealedBatches
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Damaged chunks, kept for a human to look at: elements of the list `quarantine` of their lane, each a line
 * of JSON that says what it was, and then the bytes that were found.
 */
export class Quarantine {
  readonly #options: QuarantineOptions

  constructor(options: QuarantineOptions) {
    this.#options = options
  }

  /**
   * Keeps a chunk that is damaged, or of which nothing is there, once: a batch that is read again counts
   * once. Failing to keep it is reported and not in the way.
   * @throws ClaimLost or Error when the batch is gone: then the chunk is not damaged but removed
   */
  async keep(
    batch: SealedBatch,
    { number, firstOrdinal, recordCount }: ChunkPlace,
    frame: Buffer | undefined,
    reason: string,
  ): Promise<void> {
    const { batches, clock, logger } = this.#options
    const { streamId, batchId } = batch
    const facts = { streamId, batchId, chunk: number, firstOrdinal, recordCount, reason }
    const head = `${JSON.stringify({ ...facts, atMs: clock.nowMs() })}\n`
    const kept = Buffer.concat([Buffer.from(head), frame ?? Buffer.alloc(0)])
    let answer: unknown
    try {
      const keys = [
        batches.key(batch, 'batch'),
        batches.laneKey(batch, 'quarantine'),
        batches.laneKey(batch, 'usage'),
      ]
      answer = await batches.run('quarantine', keys, [number, kept, CHUNKS_MAX, BYTES_MAX])
    } catch (error) {
      logger.error({ ...facts, error }, 'A damaged chunk could not be copied to quarantine.')
      return
    }
    if (answer === -1) throw gone(batch)
    if (answer === 1) {
      logger.error(facts, 'A chunk is damaged in Redis and was copied to quarantine.')
    }
  }
}
