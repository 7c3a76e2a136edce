import type { BatchRecord } from '../../src/destination.ts'

/** Records as Splunk gets them: their bytes back to back, and where each of them is. */
export class RecordBody {
  readonly ordinals: readonly number[]
  readonly #bytes: Buffer
  /** Where each record ends. */
  readonly #ends: readonly number[]
  readonly #delimiterBytes: number

  private constructor(
    bytes: Buffer,
    ordinals: readonly number[],
    ends: readonly number[],
    delimiterBytes: number,
  ) {
    this.#bytes = bytes
    this.ordinals = ordinals
    this.#ends = ends
    this.#delimiterBytes = delimiterBytes
  }

  /** @param delimiter goes between two records */
  static async gather(
    groups: AsyncIterable<readonly BatchRecord[]>,
    delimiter: Buffer = Buffer.alloc(0),
  ): Promise<RecordBody> {
    const blocks: Buffer[] = []
    const ordinals: number[] = []
    const ends: number[] = []
    let sizeBytes = 0
    for await (const group of groups) {
      const parts: Buffer[] = []
      for (const { ordinal, data } of group) {
        if (ends.length > 0) parts.push(delimiter)
        parts.push(data)
        sizeBytes += data.byteLength + (ends.length > 0 ? delimiter.byteLength : 0)
        ordinals.push(ordinal)
        ends.push(sizeBytes)
      }
      // The views are valid until the next group only.
      blocks.push(Buffer.concat(parts))
    }
    return new RecordBody(Buffer.concat(blocks), ordinals, ends, delimiter.byteLength)
  }

  /** The bytes of some of the records, counted from 0. */
  slice(from: number, to: number): Buffer {
    const start = from === 0 ? 0 : (this.#ends[from - 1] ?? 0) + this.#delimiterBytes
    return this.#bytes.subarray(start, this.#ends[to - 1] ?? 0)
  }
}
