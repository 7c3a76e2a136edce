import { StagingActs } from '../../pipeline/staging-acts.ts'
import type { StagingWriter } from '../../staging.ts'
import { INDEX_SEGMENT, SEGMENT_BYTES } from './staged-segment.ts'
import type { SegmentCodec } from './staged-segment.ts'
import { BlockTable } from './staged-table.ts'

/** One attempt's place in Redis. */
export interface StagingPlace {
  /** Puts a segment where nobody reads it yet. */
  put(number: number, segment: Buffer): Promise<void>
  /** What was put takes the place of what was staged before, durably. */
  publish(segmentCount: number, index: Buffer, sizeBytes: number): Promise<void>
  /** Removes what was put; harmless after `publish`. */
  remove(): Promise<void>
}

/** Writes what is staged, segment by segment. What fails once has failed: its room is freed at once. */
export class RedisStagingWriter implements StagingWriter {
  readonly #place: StagingPlace
  readonly #codec: SegmentCodec
  readonly #table = BlockTable.empty()
  readonly #buffer = Buffer.allocUnsafeSlow(SEGMENT_BYTES)
  #bufferedBytes = 0
  #segmentCount = 0
  #sizeBytes = 0
  readonly #acts: StagingActs

  constructor(place: StagingPlace, codec: SegmentCodec) {
    this.#place = place
    this.#codec = codec
    this.#acts = new StagingActs(() => place.remove())
  }

  async write(block: Uint8Array): Promise<number> {
    return this.#acts.write(async () => {
      const sizeBytes = block.byteLength
      if (this.#bufferedBytes + sizeBytes > SEGMENT_BYTES) await this.#flush()
      const place = { segment: this.#segmentCount, offset: this.#bufferedBytes, sizeBytes }
      if (sizeBytes >= SEGMENT_BYTES) {
        await this.#put(block)
      } else {
        this.#buffer.set(block, this.#bufferedBytes)
        this.#bufferedBytes += sizeBytes
      }
      return this.#table.add(place)
    })
  }

  async finish(index: Uint8Array): Promise<void> {
    await this.#acts.finish(async () => {
      await this.#flush()
      const segment = await this.#codec.encode(INDEX_SEGMENT, this.#table.joined(index))
      const sizeBytes = this.#sizeBytes + segment.byteLength
      await this.#place.publish(this.#segmentCount, segment, sizeBytes)
    })
  }

  abandon(): Promise<void> {
    return this.#acts.abandon()
  }

  async #flush(): Promise<void> {
    if (this.#bufferedBytes === 0) return
    await this.#put(this.#buffer.subarray(0, this.#bufferedBytes))
    this.#bufferedBytes = 0
  }

  async #put(plain: Uint8Array): Promise<void> {
    const segment = await this.#codec.encode(this.#segmentCount, plain)
    await this.#place.put(this.#segmentCount, segment)
    this.#segmentCount += 1
    this.#sizeBytes += segment.byteLength
  }
}
