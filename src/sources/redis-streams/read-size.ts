/**
 * How many entries are asked for at once. A server counts them and does not weigh them: so as many as the
 * largest of the last reads allow, and never many more than the time before.
 */
import type { Entry } from './entry-record.ts'

const COUNT_FIRST = 16
const COUNT_MAX = 1_000
const GROWTH = 4
/** How fast a large entry is forgotten, per read. */
const DECAY = 0.9

export class ReadSize {
  readonly #bytesMax: number
  #count = COUNT_FIRST
  #largestBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get count(): number {
    return this.#count
  }

  learn(entries: readonly Entry[]): void {
    if (entries.length === 0) return
    const largestBytes = Math.max(...entries.map(entryBytes))
    this.#largestBytes = Math.max(largestBytes, this.#largestBytes * DECAY)
    const fitting = Math.floor(this.#bytesMax / Math.max(this.#largestBytes, 1))
    this.#count = Math.max(1, Math.min(fitting, this.#count * GROWTH, COUNT_MAX))
  }
}

function entryBytes({ fields }: Entry): number {
  return fields.reduce((sum, { name, value }) => sum + name.length + value.byteLength, 0)
}
