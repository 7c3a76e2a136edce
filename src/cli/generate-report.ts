import { formatByteSize } from '../base/byte-size.ts'
import type { Clock } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import type { GeneratorRun } from '../generator/generator-run.ts'
import type { Latencies } from '../generator/latencies.ts'
import type { Tally } from '../generator/tally.ts'
import type { Progress } from './progress.ts'

const LOOK_MS = 200
/** Rates and latencies are those of the last whole second. */
const WINDOW_MS = 1_000
/** What becomes due while a request is made is not worth a word. */
const BEHIND_SECONDS = 0.1

interface Sample {
  readonly atMs: number
  readonly planned: number
  readonly made: number
  readonly acknowledged: number
}

/** Tells what a run does while it goes on, and what it came to. */
export class GenerateReport {
  readonly #run: GeneratorRun
  readonly #tally: Tally
  readonly #clock: Clock
  #sample: Sample
  #rates = ''
  #plannedRate = 0

  constructor(run: GeneratorRun, tally: Tally, clock: Clock) {
    this.#run = run
    this.#tally = tally
    this.#clock = clock
    this.#sample = this.#look()
  }

  /** Shows how it is until `done` aborts. */
  async follow(progress: Progress, done: AbortSignal): Promise<void> {
    while (!done.aborted) {
      if (this.#clock.monotonicMs() - this.#sample.atMs >= WINDOW_MS) {
        this.#rates = this.#nextRates()
        progress.show(this.#line())
      }
      await this.#clock.sleep(LOOK_MS, done)
    }
    progress.end()
  }

  /** What goes wrong before what is only a sum, for a terminal may cut the end. */
  #line(): string {
    const { acknowledged, resent, failed, made } = this.#tally
    const behind = this.#run.planned - made
    const isBehind = behind > this.#plannedRate * BEHIND_SECONDS
    const troubles = [
      [isBehind ? behind : 0, 'behind'],
      [resent, 'sent again'],
      [failed, 'failed'],
    ] as const
    return [
      this.#rates,
      ...troubles
        .filter(([count]) => count > 0)
        .map(([count, what]) => `${counted(count)} ${what}`),
      `${counted(acknowledged)} in all`,
    ].join(', ')
  }

  summary(): JsonObject {
    const { made, acknowledged, failed, resent, missed, requests, latencies } = this.#tally
    const durationMs = Math.round(this.#run.elapsedMs)
    return {
      durationMs,
      made,
      acknowledged,
      failed,
      sentAgain: resent,
      missed,
      acknowledgedBytes: this.#tally.acknowledgedBytes,
      requests,
      recordsPerSecond: Math.round((acknowledged / Math.max(durationMs, 1)) * 1000),
      latencyMs: { p50: rounded(latencies, 0.5), p99: rounded(latencies, 0.99) },
      lastReason: this.#tally.lastReason,
    }
  }

  /** The summary for people. */
  words(): string {
    const { acknowledged, failed, resent, missed, acknowledgedBytes, lastReason } = this.#tally
    const seconds = this.#run.elapsedMs / 1000
    const rate = counted(Math.round(acknowledged / Math.max(seconds, 0.001)))
    const lines = [
      `Acknowledged ${counted(acknowledged)} records, ${formatByteSize(acknowledgedBytes)}, in ` +
        `${seconds.toFixed(1)} s: ${rate} records/s, ${percentiles(this.#tally.latencies)}`,
    ]
    if (resent > 0) lines.push(`Sent again ${counted(resent)}; the latest because of ${lastReason}`)
    if (failed > 0) lines.push(`Not acknowledged ${counted(failed)}`)
    if (missed > 0) {
      lines.push(`Not made ${counted(missed)}: the service was slower than the rate`)
    }
    return lines.join('\n')
  }

  #nextRates(): string {
    const before = this.#sample
    this.#sample = this.#look()
    const seconds = (this.#sample.atMs - before.atMs) / 1000
    const rate = (name: 'planned' | 'made' | 'acknowledged'): number =>
      Math.round((this.#sample[name] - before[name]) / seconds)
    this.#plannedRate = rate('planned')
    return (
      `planned ${counted(rate('planned'))}/s, sent ${counted(rate('made'))}/s, ` +
      `acknowledged ${counted(rate('acknowledged'))}/s, ${percentiles(this.#tally.takeRecent())}`
    )
  }

  #look(): Sample {
    const { made, acknowledged } = this.#tally
    return { atMs: this.#clock.monotonicMs(), planned: this.#run.planned, made, acknowledged }
  }
}

function percentiles(latencies: Latencies): string {
  const word = (part: number): string => {
    const ms = latencies.percentileMs(part)
    return ms === undefined ? '-' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
  }
  return `p50 ${word(0.5)}, p99 ${word(0.99)}`
}

function rounded(latencies: Latencies, part: number): number | null {
  const ms = latencies.percentileMs(part)
  return ms === undefined ? null : Number(ms.toFixed(1))
}

function counted(count: number): string {
  return count.toLocaleString('en')
}
