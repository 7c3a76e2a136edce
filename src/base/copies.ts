const BLOCK_BYTES = 256 * 1024

/**
 * Copies of many small buffers, in few large ones: memory of its own for each would cost ten times as
 * much as the copying.
 */
export class Copies {
  #block: Buffer = Buffer.alloc(0)
  #filledBytes = 0

  copy(bytes: Buffer): Buffer {
    const { byteLength } = bytes
    if (byteLength > BLOCK_BYTES / 4) return Buffer.from(bytes)
    if (this.#filledBytes + byteLength > this.#block.byteLength) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
      this.#filledBytes = 0
    }
    const start = this.#filledBytes
    this.#filledBytes += bytes.copy(this.#block, start)
    return this.#block.subarray(start, this.#filledBytes)
  }
}
