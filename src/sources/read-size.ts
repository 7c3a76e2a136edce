/**
 * How many records are asked for at once, of a service that counts them and does not weigh them: as many
 * as the largest of the last reads allow, and never many more than the time before. The first read is of
 * one, for it may be large, and there may be as many first reads at once as there are partitions.
 */
const COUNT_FIRST = 1
const GROWTH = 4
/** How fast a large record is forgotten, per read. */
const DECAY = 0.9

export class ReadSize {
  readonly #bytesMax: number
  readonly #countMax: number
  #count = COUNT_FIRST
  #largestBytes = 0

  constructor(bytesMax: number, countMax: number) {
    this.#bytesMax = bytesMax
    this.#countMax = countMax
  }

  get count(): number {
    return this.#count
  }

  /** @param sizes in bytes, of what a read brought */
  learn(sizes: readonly number[]): void {
    if (sizes.length === 0) return
    this.#largestBytes = Math.max(...sizes, this.#largestBytes * DECAY)
    const fitting = Math.floor(this.#bytesMax / Math.max(this.#largestBytes, 1))
    this.#count = Math.max(1, Math.min(fitting, this.#count * GROWTH, this.#countMax))
  }
}
