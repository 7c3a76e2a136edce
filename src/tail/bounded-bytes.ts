const NEWLINE = Buffer.from('\n')

/** Bytes put together up to a limit; what is beyond it is forgotten, and replaced by a newline. */
export class BoundedBytes {
  readonly #bytesMax: number
  #parts: Buffer[] = []
  #byteCount = 0
  #isTruncated = false

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get isEmpty(): boolean {
    return this.#byteCount === 0
  }

  /** @param isTruncated whether the part has lost its end already */
  append(part: Buffer, isTruncated = false): void {
    const kept = part.subarray(0, this.#bytesMax - this.#byteCount)
    if (kept.byteLength > 0) this.#parts.push(kept)
    this.#byteCount += kept.byteLength
    this.#isTruncated ||= isTruncated || kept.byteLength < part.byteLength
  }

  /** Gives what there is, and is empty again. */
  take(): { data: Buffer; isTruncated: boolean } {
    const [first = Buffer.alloc(0)] = this.#parts
    const whole = this.#parts.length > 1 ? Buffer.concat(this.#parts) : first
    const isTruncated = this.#isTruncated
    this.#parts = []
    this.#byteCount = 0
    this.#isTruncated = false
    return { data: isTruncated ? truncated(whole, this.#bytesMax) : whole, isTruncated }
  }
}

/** The beginning of a record that is too long, with a newline as its last byte. */
export function truncated(data: Buffer, bytesMax: number): Buffer {
  return Buffer.concat([data.subarray(0, bytesMax - NEWLINE.byteLength), NEWLINE])
}
