import type { BufferPool } from './buffer-pool.ts'

const BLOCK_BYTES = 256 * 1024

/**
 * Copies of many small buffers, in few large ones: memory of its own for each would cost ten times as
 * much as the copying.
 */
export class Copies {
  readonly #pool: BufferPool | undefined
  readonly #blocks: Buffer[] = []
  #filledBytes = BLOCK_BYTES

  /** @param pool where blocks come from; the garbage collector's affair without it */
  constructor(pool?: BufferPool) {
    this.#pool = pool
  }

  copy(bytes: Buffer): Buffer {
    const { byteLength } = bytes
    if (byteLength > BLOCK_BYTES / 4) return Buffer.from(bytes)
    if (this.#filledBytes + byteLength > BLOCK_BYTES) {
      this.#blocks.push(this.#pool?.take(BLOCK_BYTES) ?? Buffer.allocUnsafeSlow(BLOCK_BYTES))
      this.#filledBytes = 0
    }
    const block = this.#blocks.at(-1) ?? Buffer.alloc(0)
    const start = this.#filledBytes
    this.#filledBytes += bytes.copy(block, start)
    return block.subarray(start, this.#filledBytes)
  }

  /** Gives the memory of all copies back, which nobody uses any more. */
  release(): void {
    for (const block of this.#blocks.splice(0)) this.#pool?.give(block)
    this.#filledBytes = BLOCK_BYTES
  }
}
