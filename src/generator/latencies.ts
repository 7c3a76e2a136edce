/** Each bucket is this much wider than the one before: percentiles are right to 2 %. */
const GROWTH = 1.02
const FIRST_MS = 0.1
/** The last one begins at about ten minutes. */
const BUCKETS = 800

/** How long requests took, in memory that does not grow with their number. */
export class Latencies {
  readonly #counts = new Uint32Array(BUCKETS)
  #count = 0

  add(ms: number): void {
    const bucket = Math.ceil(Math.log(Math.max(ms, FIRST_MS) / FIRST_MS) / Math.log(GROWTH))
    const index = Math.min(bucket, BUCKETS - 1)
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#count += 1
  }

  /** The time within which this part (0 to 1) of the requests were answered; undefined of none. */
  percentileMs(part: number): number | undefined {
    const rank = Math.ceil(part * this.#count)
    let seen = 0
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count
      if (count > 0 && seen >= rank) return FIRST_MS * GROWTH ** bucket
    }
    return undefined
  }
}
