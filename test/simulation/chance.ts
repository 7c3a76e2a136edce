/** Seeded randomness (sfc32, Chris Doty-Humphrey): fast, and the same on every machine. */
export class Chance {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number, label = '') {
    this.#a = seed | 0
    this.#b = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b)
    this.#c = hash32(label)
    for (let round = 0; round < 15; round += 1) this.#next()
  }

  /** Uniform in [0, 1). */
  readonly random = (): number => this.#next() / 2 ** 32

  /** Uniform in `from`…`to`, both included. */
  integer(from: number, to: number): number {
    return from + Math.floor(this.random() * (to - from + 1))
  }

  /** Uniform in [`from`, `to`). */
  between(from: number, to: number): number {
    return from + this.random() * (to - from)
  }

  /** True with the probability given. Draws nothing when it is 0, so that quiet runs are quick. */
  happens(probability: number): boolean {
    return probability > 0 && this.random() < probability
  }

  pick<Value>(values: readonly [Value, ...Value[]]): Value {
    return values[this.integer(0, values.length - 1)] ?? values[0]
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count)
    for (let index = 0; index < count; index += 1) bytes[index] = this.#next() & 0xff
    return bytes
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }
}

/** FNV-1a; `from` continues an earlier hash. */
export function hash32(text: string, from = 0x811c9dc5): number {
  let hash = from
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}
