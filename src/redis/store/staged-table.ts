import { strict as assert } from 'node:assert'

const COUNT_BYTES = 4
const ENTRY_BYTES = 12

/** Where a block is. */
export interface BlockPlace {
  readonly segment: number
  readonly offset: number
  readonly sizeBytes: number
}

/** The block table of what is staged (staged-segment.ts): 12 bytes of memory a block. */
export class BlockTable {
  #bytes: Buffer
  #count: number

  private constructor(bytes: Buffer, count: number) {
    this.#bytes = bytes
    this.#count = count
  }

  static empty(): BlockTable {
    return new BlockTable(Buffer.alloc(64 * ENTRY_BYTES), 0)
  }

  /** The table and the index, out of the segment that holds both; undefined when that is too short. */
  static split(plain: Buffer): readonly [BlockTable, Buffer] | undefined {
    if (plain.byteLength < COUNT_BYTES) return undefined
    const count = plain.readUInt32LE(0)
    const end = COUNT_BYTES + count * ENTRY_BYTES
    if (plain.byteLength < end) return undefined
    return [new BlockTable(plain.subarray(COUNT_BYTES, end), count), plain.subarray(end)]
  }

  get count(): number {
    return this.#count
  }

  /** Returns the block's number. */
  add({ segment, offset, sizeBytes }: BlockPlace): number {
    const at = this.#count * ENTRY_BYTES
    if (at === this.#bytes.byteLength) {
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.byteLength)])
    }
    this.#bytes.writeUInt32LE(segment, at)
    this.#bytes.writeUInt32LE(offset, at + 4)
    this.#bytes.writeUInt32LE(sizeBytes, at + 8)
    this.#count += 1
    return this.#count - 1
  }

  get(block: number): BlockPlace {
    assert(Number.isInteger(block) && block >= 0 && block < this.#count, 'a block that was written')
    const at = block * ENTRY_BYTES
    return {
      segment: this.#bytes.readUInt32LE(at),
      offset: this.#bytes.readUInt32LE(at + 4),
      sizeBytes: this.#bytes.readUInt32LE(at + 8),
    }
  }

  /** Both in one, as they are stored. */
  joined(index: Uint8Array): Buffer {
    const count = Buffer.alloc(COUNT_BYTES)
    count.writeUInt32LE(this.#count)
    return Buffer.concat([count, this.#bytes.subarray(0, this.#count * ENTRY_BYTES), index])
  }
}
