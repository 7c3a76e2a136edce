import type { Clock } from '../base/clock.ts'
import type { FunctionReport, FunctionReports } from '../functions.ts'
import type { Execution } from '../processor.ts'

const REPORTS_MAX = 1_000
/** Upper bounds of the steps by which durations are counted; above the last there is one more. */
const STEPS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000,
]

/** What is counted for one name and one stream. */
interface Counts {
  readonly name: string
  readonly deliveryStreamName: string
  invocationCount: number
  failureCount: number
  recordCount: number
  lastFailure?: { readonly errorCode: string; readonly atMs: number }
  sumMs: number
  maxMs: number
  /** By step. */
  readonly durationCounts: number[]
}

/** Counts what the delivery threads observe. When it is full, who was called longest ago goes. */
export class LocalFunctionReports implements FunctionReports {
  readonly #clock: Pick<Clock, 'nowMs'>
  /** In the order of the last call. */
  readonly #counts = new Map<string, Counts>()

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock
  }

  observe(deliveryStreamName: string, execution: Execution): void {
    const { name, durationMs, recordCount, errorCode } = execution
    const key = JSON.stringify([name, deliveryStreamName])
    const counts = this.#counts.get(key) ?? newCounts(name, deliveryStreamName)
    this.#counts.delete(key)
    this.#counts.set(key, counts)
    counts.invocationCount += 1
    counts.recordCount += recordCount
    counts.sumMs += durationMs
    counts.maxMs = Math.max(counts.maxMs, durationMs)
    const step = stepOf(durationMs)
    counts.durationCounts[step] = (counts.durationCounts[step] ?? 0) + 1
    if (errorCode !== undefined) {
      counts.failureCount += 1
      counts.lastFailure = { errorCode, atMs: this.#clock.nowMs() }
    }
    const [oldest] = this.#counts.keys()
    if (this.#counts.size > REPORTS_MAX && oldest !== undefined) this.#counts.delete(oldest)
  }

  list(): readonly FunctionReport[] {
    return [...this.#counts.values()]
      .map(reportOf)
      .toSorted(
        (a, b) => compare(a.name, b.name) || compare(a.deliveryStreamName, b.deliveryStreamName),
      )
  }
}

function newCounts(name: string, deliveryStreamName: string): Counts {
  return {
    name,
    deliveryStreamName,
    invocationCount: 0,
    failureCount: 0,
    recordCount: 0,
    sumMs: 0,
    maxMs: 0,
    durationCounts: Array.from({ length: STEPS_MS.length + 1 }, () => 0),
  }
}

function stepOf(durationMs: number): number {
  const step = STEPS_MS.findIndex((boundMs) => durationMs <= boundMs)
  return step === -1 ? STEPS_MS.length : step
}

function reportOf({ sumMs, maxMs, durationCounts, ...counted }: Counts): FunctionReport {
  const quantile = (share: number): number => {
    let wanted = Math.ceil(counted.invocationCount * share)
    const step = durationCounts.findIndex((count) => (wanted -= count) <= 0)
    return Math.min(STEPS_MS[step] ?? maxMs, maxMs)
  }
  return {
    ...counted,
    durations: { sumMs, maxMs, p50Ms: quantile(0.5), p99Ms: quantile(0.99) },
  }
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
