import { ordinalEndOf } from '../../batch.ts'
import type { SealedBatch } from '../../batch.ts'
import type { BatchReading, StoredChunk } from '../../batch-store.ts'
import type { OrdinalRange } from '../../manifest.ts'
import { decodeFrame, FrameDamaged } from './chunk-frame.ts'
import { recordCountOf, runsOf } from './chunk-index.ts'
import type { ChunkPlace } from './chunk-index.ts'
import type { Quarantine } from './quarantine.ts'
import type { SealedBatches } from './sealed-batches.ts'

/** Bytes of frames that are asked for at once. */
const RUN_BYTES = 1024 * 1024

/** Reads a sealed batch, or a range of it, a run of chunks at a time. */
export class RedisBatchReading implements BatchReading {
  readonly #batch: SealedBatch
  readonly #range: OrdinalRange
  readonly #batches: SealedBatches
  readonly #quarantine: Quarantine
  #quarantinedCount = 0

  constructor(
    batch: SealedBatch,
    range: OrdinalRange | undefined,
    batches: SealedBatches,
    quarantine: Quarantine,
  ) {
    this.#batch = batch
    this.#range = range ?? { from: 0, to: ordinalEndOf(batch) }
    this.#batches = batches
    this.#quarantine = quarantine
  }

  get quarantinedCount(): number {
    return this.#quarantinedCount
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StoredChunk> {
    this.#quarantinedCount = 0
    const dataKey = await this.#batches.dataKey(this.#batch)
    const index = await this.#index()
    for (const run of runsOf(index, this.#range, RUN_BYTES)) {
      const frames = await this.#frames(run)
      for (const [at, place] of run.entries()) {
        const chunk = await this.#open(place, frames[at], dataKey)
        if (chunk === undefined) this.#quarantinedCount += place.recordCount
        else yield chunk
      }
    }
  }

  /** Index and chunks are written in one step: where it is not whole, nothing can be said of the batch. */
  async #index(): Promise<Buffer> {
    const { batchId, recordCount } = this.#batch
    const index = await this.#batches.ask((client) =>
      client.getBuffer(this.#batches.key(this.#batch, 'index')),
    )
    if (index !== null && recordCountOf(index) === recordCount) return index
    // Removed meanwhile, or damaged.
    await this.#batches.dataKey(this.#batch)
    throw new Error(
      `Cannot read batch ${batchId}: its index does not tell of ${recordCount} records`,
    )
  }

  /** Fewer than there should be when the list is cut short. */
  #frames(run: readonly ChunkPlace[]): Promise<Buffer[]> {
    const [first, last] = [run[0], run.at(-1)]
    if (first === undefined || last === undefined) return Promise.resolve([])
    return this.#batches.ask((client) =>
      client.lrangeBuffer(this.#batches.key(this.#batch, 'chunks'), first.number, last.number),
    )
  }

  /** Undefined when it is damaged; then it is in quarantine. */
  async #open(
    place: ChunkPlace,
    frame: Buffer | undefined,
    dataKey: Buffer | undefined,
  ): Promise<StoredChunk | undefined> {
    try {
      if (frame === undefined) throw new FrameDamaged('The chunk is missing')
      const chunk = decodeFrame(frame, dataKey)
      if (chunk.recordCount === place.recordCount) {
        return { ...chunk, firstOrdinal: place.firstOrdinal }
      }
      throw new FrameDamaged('The chunk has another count of records than the index tells')
    } catch (error) {
      if (!(error instanceof FrameDamaged)) throw error
      await this.#quarantine.keep(this.#batch, place, frame, error.message)
      return undefined
    }
  }
}
