/** Below this, what is saved does not pay for the trouble. */
const SIZE_BYTES_MIN = 1024
/** What compression has to bring the size down to. */
const WORTH_RATIO = 0.85
/** Of data that does not pay, every so many chunks are tried. */
const SKIPS_MAX = 63

/** Guesses whether a lane's next chunk is worth compressing by how the ones before it fared. */
export class CompressionTrial {
  #failures = 0
  #skips = 0

  isWorth(sizeBytes: number): boolean {
    if (sizeBytes < SIZE_BYTES_MIN) return false
    if (this.#skips === 0) return true
    this.#skips -= 1
    return false
  }

  /** Whether it has paid. */
  paid(sizeBytes: number, compressedBytes: number): boolean {
    const paid = compressedBytes <= sizeBytes * WORTH_RATIO
    this.#failures = paid ? 0 : this.#failures + 1
    this.#skips = paid ? 0 : Math.min(2 ** this.#failures - 1, SKIPS_MAX)
    return paid
  }
}
