import type { BufferPool } from '../../base/buffer-pool.ts'
import type { BatchId } from '../../batch.ts'
import { StagingDamaged } from '../../staging.ts'
import type { StagedBatch } from '../../staging.ts'
import { INDEX_SEGMENT, SEGMENT_BYTES } from './staged-segment.ts'
import type { SegmentCodec } from './staged-segment.ts'
import { BlockTable } from './staged-table.ts'

/** What is staged of a batch. Holds the last segment of small blocks that was read. */
export class RedisStaged implements StagedBatch {
  readonly index: Buffer
  readonly #table: BlockTable
  readonly #segments: Segments
  #last: { readonly number: number; readonly plain: Promise<Buffer> } | undefined

  private constructor(index: Buffer, table: BlockTable, segments: Segments) {
    this.index = index
    this.#table = table
    this.#segments = segments
  }

  /**
   * @param index its segment
   * @throws StagingDamaged
   */
  static async open(index: Buffer | null, segments: Segments): Promise<RedisStaged> {
    const parts = BlockTable.split(await segments.decode(INDEX_SEGMENT, index))
    if (parts === undefined) throw segments.damaged(INDEX_SEGMENT, 'it is cut short')
    return new RedisStaged(parts[1], parts[0], segments)
  }

  get blockCount(): number {
    return this.#table.count
  }

  async read(block: number, memory?: BufferPool): Promise<Buffer> {
    const { segment, offset, sizeBytes } = this.#table.get(block)
    if (sizeBytes === 0) return Buffer.alloc(0)
    const isAlone = sizeBytes >= SEGMENT_BYTES
    const plain = await (isAlone ? this.#segments.read(segment) : this.#shared(segment))
    if (offset + sizeBytes > plain.byteLength) {
      throw this.#segments.damaged(segment, 'it is cut short')
    }
    if (isAlone) return plain
    const copy = memory?.take(sizeBytes) ?? Buffer.allocUnsafe(sizeBytes)
    plain.copy(copy, 0, offset, offset + sizeBytes)
    return copy
  }

  async close(): Promise<void> {
    this.#last = undefined
  }

  /** A segment of small blocks, which are mostly asked for one after the other. */
  async #shared(number: number): Promise<Buffer> {
    if (this.#last?.number !== number) {
      this.#last = { number, plain: this.#segments.read(number) }
    }
    const { plain } = this.#last
    try {
      return await plain
    } catch (error) {
      if (this.#last?.plain === plain) this.#last = undefined
      throw error
    }
  }
}

/** Segments of what is staged of one batch, verified. */
export class Segments {
  readonly #batchId: BatchId
  readonly #codec: SegmentCodec
  readonly #fetch: (number: number) => Promise<Buffer | null>

  /** @param fetch a segment as it lies in Redis; null when it is not there */
  constructor(
    batchId: BatchId,
    codec: SegmentCodec,
    fetch: (number: number) => Promise<Buffer | null>,
  ) {
    this.#batchId = batchId
    this.#codec = codec
    this.#fetch = fetch
  }

  /** @throws StagingDamaged */
  async read(number: number): Promise<Buffer> {
    return this.decode(number, await this.#fetch(number))
  }

  /** @throws StagingDamaged */
  async decode(number: number, segment: Buffer | null): Promise<Buffer> {
    if (segment === null) throw this.damaged(number, 'it is missing')
    try {
      return await this.#codec.decode(number, segment)
    } catch (error) {
      throw this.damaged(number, (error as Error).message, error)
    }
  }

  damaged(number: number, what: string, cause?: unknown): StagingDamaged {
    const part = number === INDEX_SEGMENT ? 'its index' : `segment ${number}`
    const message = `Cannot read what is staged of batch ${this.#batchId}: damage in ${part}: ${what}`
    return new StagingDamaged(message, { cause })
  }
}
