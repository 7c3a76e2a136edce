import { strict as assert } from 'node:assert'
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
  #state: 'open' | 'busy' | 'ended' = 'open'
  #acting: Promise<unknown> | undefined

  constructor(place: StagingPlace, codec: SegmentCodec) {
    this.#place = place
    this.#codec = codec
  }

  async write(block: Uint8Array): Promise<number> {
    return this.#act(async () => {
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
    await this.#act(async () => {
      await this.#flush()
      const segment = await this.#codec.encode(INDEX_SEGMENT, this.#table.joined(index))
      const sizeBytes = this.#sizeBytes + segment.byteLength
      await this.#place.publish(this.#segmentCount, segment, sizeBytes)
    }, 'ended')
  }

  /** Also while a block is being written: then after that. */
  async abandon(): Promise<void> {
    await this.#acting?.catch(() => {})
    if (this.#state !== 'ended') await this.#end()
  }

  /** One act at a time; after one that failed there is nothing left. */
  #act<Result>(act: () => Promise<Result>, next: 'open' | 'ended' = 'open'): Promise<Result> {
    assert.equal(this.#state, 'open', 'staging takes one block at a time, until it has ended')
    this.#state = 'busy'
    const acting = this.#endingOnFailure(act, next)
    this.#acting = acting
    return acting
  }

  async #endingOnFailure<Result>(
    act: () => Promise<Result>,
    next: 'open' | 'ended',
  ): Promise<Result> {
    try {
      const result = await act()
      this.#state = next
      return result
    } catch (error) {
      // Whoever asks hears why it failed; what could not be removed, too, expires.
      await this.#end().catch(() => {})
      throw error
    }
  }

  async #end(): Promise<void> {
    this.#state = 'ended'
    await this.#place.remove()
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
