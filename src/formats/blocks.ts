import type { Compressor } from './compressor.ts'

/**
 * Cuts what is written into blocks of `blockBytes`, the last one shorter, whatever the sizes of the
 * writes. Small writes are gathered by copying; whole blocks inside a large write are passed on as
 * they are.
 */
export function inBlocks(blockBytes: number, compressor: Compressor): Compressor {
  return new BlockCutter(blockBytes, compressor)
}

class BlockCutter implements Compressor {
  readonly #compressor: Compressor
  readonly #block: Buffer
  #filledBytes = 0

  constructor(blockBytes: number, compressor: Compressor) {
    this.#compressor = compressor
    this.#block = Buffer.allocUnsafeSlow(blockBytes)
  }

  async write(bytes: Uint8Array): Promise<void> {
    let rest = bytes
    while (rest.byteLength > 0) {
      if (this.#filledBytes === 0 && rest.byteLength >= this.#block.byteLength) {
        await this.#compressor.write(rest.subarray(0, this.#block.byteLength))
        rest = rest.subarray(this.#block.byteLength)
      } else {
        rest = this.#fill(rest)
        if (this.#filledBytes === this.#block.byteLength) await this.#passOn()
      }
    }
  }

  async finish(): Promise<void> {
    if (this.#filledBytes > 0) await this.#passOn()
    await this.#compressor.finish()
  }

  /** Copies what fits into the block and returns what didn't. */
  #fill(bytes: Uint8Array): Uint8Array {
    const fitting = bytes.subarray(0, this.#block.byteLength - this.#filledBytes)
    this.#block.set(fitting, this.#filledBytes)
    this.#filledBytes += fitting.byteLength
    return bytes.subarray(fitting.byteLength)
  }

  async #passOn(): Promise<void> {
    await this.#compressor.write(this.#block.subarray(0, this.#filledBytes))
    this.#filledBytes = 0
  }
}
