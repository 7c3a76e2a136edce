import { strict as assert } from 'node:assert'

/**
 * A set of a batch's records, by ordinal: one bit each, so that a batch of a million records has its
 * state in 125 kB. As text: base64 of the bits, the lowest ordinal in the lowest bit of the first byte.
 */
export class RecordSet {
  readonly #bits: Buffer
  #size = 0

  private constructor(bits: Buffer) {
    this.#bits = bits
  }

  /** The ordinals from `from` up to, not including, `to`. */
  static range(from: number, to: number): RecordSet {
    const set = RecordSet.empty(to)
    const [firstWhole, endWhole] = [Math.ceil(from / 8), to >> 3]
    if (firstWhole < endWhole) {
      set.#bits.fill(0xff, firstWhole, endWhole)
      set.#size = (endWhole - firstWhole) * 8
    }
    for (let ordinal = from; ordinal < Math.min(to, firstWhole * 8); ordinal += 1) set.add(ordinal)
    for (let ordinal = Math.max(from, endWhole * 8); ordinal < to; ordinal += 1) set.add(ordinal)
    return set
  }

  static empty(recordCount: number): RecordSet {
    return new RecordSet(Buffer.alloc(Math.ceil(recordCount / 8)))
  }

  static parse(text: string): RecordSet {
    const set = new RecordSet(Buffer.from(text, 'base64'))
    for (const byte of set.#bits) set.#size += bitCount(byte)
    return set
  }

  get size(): number {
    return this.#size
  }

  has(ordinal: number): boolean {
    return ((this.#bits[ordinal >> 3] ?? 0) & (1 << (ordinal & 7))) !== 0
  }

  add(ordinal: number): void {
    assert(ordinal >= 0 && ordinal >> 3 < this.#bits.byteLength, 'a record of this batch')
    if (this.has(ordinal)) return
    this.#bits[ordinal >> 3]! |= 1 << (ordinal & 7)
    this.#size += 1
  }

  delete(ordinal: number): void {
    if (!this.has(ordinal)) return
    this.#bits[ordinal >> 3]! &= ~(1 << (ordinal & 7))
    this.#size -= 1
  }

  clear(): void {
    this.#bits.fill(0)
    this.#size = 0
  }

  /** In ascending order. A record may be deleted when the iteration has come to it. */
  *[Symbol.iterator](): Generator<number> {
    for (const [index, byte] of this.#bits.entries()) {
      if (byte === 0) continue
      for (let bit = 0; bit < 8; bit += 1) if (byte & (1 << bit)) yield index * 8 + bit
    }
  }

  toString(): string {
    return this.#bits.toString('base64')
  }
}

function bitCount(byte: number): number {
  let count = 0
  for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1
  return count
}
