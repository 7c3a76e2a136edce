import { Latencies } from './latencies.ts'

/** What a run came to so far. Counts are of records where they don't say otherwise. */
export class Tally {
  made = 0
  acknowledged = 0
  /** Given up: refused to the last, or by an error that sending again does not mend. */
  failed = 0
  /** Sent again after a refusal; one record may be counted often. */
  resent = 0
  /** Due, but not made before the time was over, because the service was too slow. */
  missed = 0
  requests = 0
  acknowledgedBytes = 0
  /** Why the latest were refused; empty while none was. */
  lastReason = ''
  /** Of all requests. */
  readonly latencies = new Latencies()
  /** Of the requests since the last call of `takeRecent`. */
  #recent = new Latencies()

  answered(latencyMs: number): void {
    this.requests += 1
    this.latencies.add(latencyMs)
    this.#recent.add(latencyMs)
  }

  takeRecent(): Latencies {
    const taken = this.#recent
    this.#recent = new Latencies()
    return taken
  }
}
