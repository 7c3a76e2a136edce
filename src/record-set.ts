import { strict as assert } from 'node:assert'

/**
 * A set of a batch's records, by ordinal: one bit each, so that a batch of a million records has its
 * state in 125 kB, and a thousand outputs of it no more between them.
 *
 *   text:  base64 of the bits, the lowest ordinal in the lowest bit of the first byte
 *          <n>:base64, when ordinals below 8 · n are left out
 */
export class RecordSet {
  readonly #bits: Buffer
  /** Where the bits begin, in bytes. */
  readonly #offset: number
  #size = 0

  private constructor(bits: Buffer, offset: number) {
    this.#bits = bits
    this.#offset = offset
  }

  /** The ordinals from `from` up to, not including, `to`. */
  static range(from: number, to: number): RecordSet {
    const set = RecordSet.empty(to, from)
    const [firstWhole, endWhole] = [Math.ceil(from / 8), to >> 3]
    if (firstWhole < endWhole) {
      set.#bits.fill(0xff, firstWhole - set.#offset, endWhole - set.#offset)
      set.#size = (endWhole - firstWhole) * 8
    }
    for (let ordinal = from; ordinal < Math.min(to, firstWhole * 8); ordinal += 1) set.add(ordinal)
    for (let ordinal = Math.max(from, endWhole * 8); ordinal < to; ordinal += 1) set.add(ordinal)
    return set
  }

  /** Has room for the ordinals from `from` up to, not including, `to`. */
  static empty(to: number, from = 0): RecordSet {
    const offset = from >> 3
    return new RecordSet(Buffer.alloc(Math.max(Math.ceil(to / 8) - offset, 0)), offset)
  }

  static parse(text: string): RecordSet {
    const colon = text.indexOf(':')
    const offset = Number(text.slice(0, Math.max(colon, 0)))
    const set = new RecordSet(Buffer.from(text.slice(colon + 1), 'base64'), offset)
    for (const byte of set.#bits) set.#size += bitCount(byte)
    return set
  }

  get size(): number {
    return this.#size
  }

  has(ordinal: number): boolean {
    return ((this.#bits[this.#at(ordinal)] ?? 0) & (1 << (ordinal & 7))) !== 0
  }

  add(ordinal: number): void {
    const at = this.#at(ordinal)
    assert(at >= 0 && at < this.#bits.byteLength, 'a record of this set')
    if (this.has(ordinal)) return
    this.#bits[at]! |= 1 << (ordinal & 7)
    this.#size += 1
  }

  delete(ordinal: number): void {
    if (!this.has(ordinal)) return
    this.#bits[this.#at(ordinal)]! &= ~(1 << (ordinal & 7))
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
      for (let bit = 0; bit < 8; bit += 1)
        if (byte & (1 << bit)) yield (this.#offset + index) * 8 + bit
    }
  }

  toString(): string {
    const bits = this.#bits.toString('base64')
    return this.#offset === 0 ? bits : `${this.#offset}:${bits}`
  }

  #at(ordinal: number): number {
    return (ordinal >> 3) - this.#offset
  }
}

function bitCount(byte: number): number {
  let count = 0
  for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1
  return count
}
