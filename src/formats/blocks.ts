import type { Compressor } from './compressor.ts'
import { grownBlock } from './grown-block.ts'

/**
 * Cuts what is written into blocks of `blockBytes`, the last one shorter, whatever the sizes of the
 * writes. Small writes are gathered by copying; whole blocks inside a large write are passed on as
 * they are. An input that is smaller than a block is passed on as a whole.
 */
export function inBlocks(blockBytes: number, compressor: Compressor): Compressor {
  return new BlockCutter(blockBytes, compressor)
}

/** Of the last one that was finished, for the next: many small objects are made one after the other. */
let spareBlock: Buffer = Buffer.alloc(0)

class BlockCutter implements Compressor {
  readonly #compressor: Compressor
  readonly #blockBytes: number
  #block: Buffer = Buffer.alloc(0)
  #filledBytes = 0
  #hasPassedOn = false

  constructor(blockBytes: number, compressor: Compressor) {
    this.#compressor = compressor
    this.#blockBytes = blockBytes
  }

  async write(bytes: Uint8Array): Promise<void> {
    let rest = bytes
    while (rest.byteLength > 0) {
      if (this.#filledBytes === 0 && rest.byteLength >= this.#blockBytes) {
        await this.#passOn(rest.subarray(0, this.#blockBytes))
        rest = rest.subarray(this.#blockBytes)
      } else {
        rest = this.#fill(rest)
        if (this.#filledBytes === this.#blockBytes) await this.#passOn(this.#filled())
      }
    }
  }

  async finish(): Promise<void> {
    await this.#finish()
    spareBlock = this.#block
    this.#block = Buffer.alloc(0)
  }

  async #finish(): Promise<void> {
    if (!this.#hasPassedOn && this.#compressor.finishWith !== undefined) {
      await this.#compressor.finishWith(this.#filled())
      return
    }
    if (this.#filledBytes > 0) await this.#passOn(this.#filled())
    await this.#compressor.finish()
  }

  /** Copies what fits into the block and returns what didn't. */
  #fill(bytes: Uint8Array): Uint8Array {
    const fitting = bytes.subarray(0, this.#blockBytes - this.#filledBytes)
    if (this.#block.byteLength === 0) {
      this.#block = spareBlock.subarray(0, this.#blockBytes)
      spareBlock = Buffer.alloc(0)
    }
    this.#block = grownBlock(this.#block, this.#filledBytes, fitting.byteLength, this.#blockBytes)
    this.#block.set(fitting, this.#filledBytes)
    this.#filledBytes += fitting.byteLength
    return bytes.subarray(fitting.byteLength)
  }

  #filled(): Buffer {
    return this.#block.subarray(0, this.#filledBytes)
  }

  async #passOn(block: Uint8Array): Promise<void> {
    this.#hasPassedOn = true
    await this.#compressor.write(block)
    this.#filledBytes = 0
  }
}
