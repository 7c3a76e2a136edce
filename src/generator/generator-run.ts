/**
 * Makes records at the pace of a plan and sends them until they are acknowledged.
 *
 * Every tick it makes what is due by now and not yet made, as requests of at most what the service
 * takes. A request holds one of `lanes` until each of its records is acknowledged or given up; while
 * none is free nothing is made, so that memory holds `lanes` requests at most however far the service
 * is behind. What is owed is only a number, and is made up for as soon as the service takes more.
 */
import { backoffMs } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import type { RatePlan } from './rate-plan.ts'
import type { RecordMaker } from './record-maker.ts'
import { classifyFailure, sizeOf } from './record-sink.ts'
import type { MadeRecord, RecordSink } from './record-sink.ts'
import type { Tally } from './tally.ts'

export interface RunOptions {
  readonly plan: RatePlan
  /** Whichever is first ends the run; without either it goes on until it is stopped. */
  readonly durationMs?: number | undefined
  readonly count?: number | undefined
  readonly records: RecordMaker
  readonly sink: RecordSink
  /** Requests at the same time. */
  readonly lanes: number
  readonly clock: Clock
}

const TICK_MS = 20
/** After the duration, for what was due within it; what is still owed then is missed. */
const GRACE_MS = 1_000
/** With back-off about a minute. */
const ATTEMPTS_MAX = 12
const BACKOFF = { firstMs: 100, maxMs: 10_000 }
/** So that a whole number of records is not missed by the last bit of a sum. */
const ROUNDING = 1e-6

export class GeneratorRun {
  readonly #options: RunOptions
  readonly #tally: Tally
  readonly #requests = new Set<Promise<void>>()
  readonly #failed = new AbortController()
  #startMs: number | undefined

  constructor(options: RunOptions, tally: Tally) {
    this.#options = options
    this.#tally = tally
  }

  /** Since it was started; 0 before. */
  get elapsedMs(): number {
    const nowMs = this.#options.clock.monotonicMs()
    return nowMs - (this.#startMs ?? nowMs)
  }

  /** Records that are to have been made by now. */
  get planned(): number {
    return this.#plannedBy(this.elapsedMs)
  }

  /**
   * Resolves when all is made and its fate known, or when `stop` aborts: then nothing more is made, and
   * what was refused is offered once more. Rejects, after the requests under way have ended, with the
   * first error that sending again does not mend.
   */
  async run(stop: AbortSignal): Promise<void> {
    this.#startMs = this.#options.clock.monotonicMs()
    const ended = AbortSignal.any([stop, this.#failed.signal])
    try {
      await this.#make(ended)
    } finally {
      await Promise.all(this.#requests)
    }
    this.#failed.signal.throwIfAborted()
  }

  async #make(ended: AbortSignal): Promise<void> {
    const { records, lanes, clock, durationMs = Infinity, count = Infinity } = this.#options
    // Nothing is due yet; a request at once would hold what the first moment brought.
    await clock.sleep(TICK_MS, ended)
    while (!ended.aborted) {
      const { elapsedMs } = this
      const owed = this.#plannedBy(elapsedMs) - this.#tally.made
      if (owed > 0 && elapsedMs > durationMs + GRACE_MS) {
        this.#tally.missed = owed
        return
      }
      if (owed > 0 && this.#requests.size === lanes) {
        await Promise.race(this.#requests)
        continue
      }
      const begun = owed > 0 ? this.#begin(records.batch(owed), ended) : 0
      if (begun < owed) continue
      if (elapsedMs >= durationMs || this.#tally.made >= count) return
      await clock.sleep(TICK_MS, ended)
    }
  }

  #plannedBy(elapsedMs: number): number {
    const { plan, durationMs = Infinity, count = Infinity } = this.#options
    return Math.min(Math.floor(plan(Math.min(elapsedMs, durationMs)) + ROUNDING), count)
  }

  /** How many are on their way. */
  #begin(records: readonly MadeRecord[], ended: AbortSignal): number {
    this.#tally.made += records.length
    const request = this.#deliver(records, ended).finally(() => this.#requests.delete(request))
    this.#requests.add(request)
    return records.length
  }

  /** Never rejects: an error that ends the run is kept as the reason of `#failed`. */
  async #deliver(records: readonly MadeRecord[], ended: AbortSignal): Promise<void> {
    const { clock } = this.#options
    let open = records
    for (let attempt = 1; ; attempt += 1) {
      const isLast = ended.aborted || attempt === ATTEMPTS_MAX
      try {
        open = await this.#put(open)
      } catch (error) {
        this.#failed.abort(error)
        this.#tally.failed += open.length
        return
      }
      if (open.length === 0) return
      if (isLast) {
        this.#tally.failed += open.length
        return
      }
      await clock.sleep(backoffMs(BACKOFF, attempt, clock), ended)
      this.#tally.resent += open.length
    }
  }

  /** One attempt; resolves with what was not taken. Rejects when it never will be. */
  async #put(records: readonly MadeRecord[]): Promise<readonly MadeRecord[]> {
    const { clock, sink } = this.#options
    const startMs = clock.monotonicMs()
    try {
      const { refused, reason } = await sink.put(records)
      const isRefused = new Set(refused)
      this.#acknowledge(records.filter((_, index) => !isRefused.has(index)))
      if (reason !== '') this.#tally.lastReason = reason
      return refused.flatMap((index) => records[index] ?? [])
    } catch (error) {
      const failure = classifyFailure(error)
      // At the very start it is more likely that the endpoint is wrong than that it is away.
      const isWrong = failure === 'unreachable' && this.#tally.acknowledged === 0
      if (!(error instanceof Error) || failure === 'final' || isWrong) throw error
      this.#tally.lastReason = `${error.name}: ${error.message}`
      return records
    } finally {
      this.#tally.answered(clock.monotonicMs() - startMs)
    }
  }

  #acknowledge(records: readonly MadeRecord[]): void {
    this.#tally.acknowledged += records.length
    for (const record of records) this.#tally.acknowledgedBytes += sizeOf(record)
  }
}
