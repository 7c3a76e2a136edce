/**
 * jq over records. They go to a thread in calls of many; where a call fails as a whole, each of its
 * records has a call of its own, so that one poisoned record fails alone.
 *
 * What that costs is bounded: a call may take `timeoutMs`; the records of a run that have calls of their
 * own may take six times that, together, and what is left of the run then fails. A query that had to
 * be stopped has its calls in a second thread until a run of it comes through, so that it holds up other
 * queries for one call only.
 */
import { strict as assert } from 'node:assert'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { ConfigurationError } from '../../destination.ts'
import { QUERY_LENGTH_MAX } from './jq-call.ts'
import type { JqCall, JqResult } from './jq-call.ts'
import { JqWorker } from './jq-worker.ts'
import type { TimedAnswer } from './jq-worker.ts'

export type { JqResult } from './jq-call.ts'

export interface JqEngineOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** How long a query may take for 500 records, and for one. */
  readonly timeoutMs?: number
  readonly memoryBytes?: number
}

/** Enough to spread the cost of a call over, and few enough to be run one by one. */
const CALL_RECORDS_MAX = 500
const CALL_BYTES_MAX = 1024 * 1024
const ALONE_TIMEOUTS_MAX = 6
const SUSPECTS_MAX = 1000
const NEVER = new AbortController().signal

/** What is known of a run so far. */
interface Run {
  readonly query: string
  readonly signal: AbortSignal
  /** Left for records that have calls of their own. */
  aloneMsLeft: number
  wasStopped: boolean
}

export class JqEngine {
  readonly #logger: Logger
  readonly #timeoutMs: number
  readonly #worker: JqWorker
  readonly #suspectWorker: JqWorker
  /** Queries that had to be stopped, the oldest first. */
  readonly #suspects = new Set<string>()

  constructor({
    clock,
    logger,
    timeoutMs = 10_000,
    memoryBytes = 256 * 1024 * 1024,
  }: JqEngineOptions) {
    this.#logger = logger
    this.#timeoutMs = timeoutMs
    this.#worker = new JqWorker({ clock, timeoutMs, memoryBytes })
    this.#suspectWorker = new JqWorker({ clock, timeoutMs, memoryBytes })
  }

  /** @throws ConfigurationError in jq's own words when the query doesn't compile */
  async check(query: string): Promise<void> {
    if (!isRunnable(query)) {
      throw new ConfigurationError(
        `Invalid MetadataExtractionQuery: it must have 1 to ${QUERY_LENGTH_MAX} characters, and no NUL`,
      )
    }
    const { answer } = await this.#worker.call({ kind: 'check', query }, NEVER)
    if (answer.kind === 'failure') {
      throw new ConfigurationError(`Invalid MetadataExtractionQuery: ${answer.message}`)
    }
  }

  /**
   * What the query makes of each input, which should be one JSON text: its result. To have none, or
   * more than one, is an error.
   * @param query one that `check` lets pass
   * @throws DeliveryError when jq can't be started; what the signal was aborted with
   */
  async run(
    query: string,
    inputs: readonly Buffer[],
    signal: AbortSignal = NEVER,
  ): Promise<readonly JqResult[]> {
    assert(isRunnable(query), 'A query is checked before it is run')
    const aloneMsLeft = ALONE_TIMEOUTS_MAX * this.#timeoutMs
    const run: Run = { query, signal, aloneMsLeft, wasStopped: false }
    const results: JqResult[] = []
    for (const some of calls(inputs)) results.push(...(await this.#runTogether(run, some)))
    if (!run.wasStopped) this.#suspects.delete(query)
    return results
  }

  /** Ends the threads. Runs under way are given up and throw, as do later ones. */
  async close(): Promise<void> {
    await Promise.all([this.#worker.close(), this.#suspectWorker.close()])
  }

  async #runTogether(run: Run, inputs: readonly Buffer[]): Promise<readonly JqResult[]> {
    if (inputs.length > 1 && run.aloneMsLeft > 0) {
      const { answer } = await this.#call(run, inputs)
      if (answer.kind === 'results') return answer.results
    }
    const results: JqResult[] = []
    for (const input of inputs) results.push(await this.#runAlone(run, input))
    return results
  }

  async #runAlone(run: Run, input: Buffer): Promise<JqResult> {
    if (run.aloneMsLeft <= 0) {
      return { error: 'The query was given up: too many records took too much time or memory' }
    }
    const { answer, durationMs } = await this.#call(run, [input])
    run.aloneMsLeft -= durationMs
    if (answer.kind === 'failure') return { error: answer.message }
    const result = answer.kind === 'results' ? answer.results[0] : undefined
    assert(result !== undefined, 'A run that did not fail has a result for each record')
    return result
  }

  async #call(run: Run, inputs: readonly Buffer[]): Promise<TimedAnswer> {
    const { query, signal } = run
    const worker = this.#suspects.has(query) ? this.#suspectWorker : this.#worker
    const timed = await worker.call(runCall(query, inputs), signal)
    const { answer } = timed
    if (answer.kind === 'failure' && answer.isSpent) {
      run.wasStopped = true
      this.#suspect(query)
      const { message: reason } = answer
      this.#logger.warn({ query, reason, recordCount: inputs.length }, 'A jq query was stopped.')
    }
    return timed
  }

  #suspect(query: string): void {
    this.#suspects.add(query)
    const [oldest] = this.#suspects
    if (this.#suspects.size > SUSPECTS_MAX && oldest !== undefined) this.#suspects.delete(oldest)
  }
}

/** jq takes its program as a C string, from a stack of limited size. */
function isRunnable(query: string): boolean {
  return query.length >= 1 && query.length <= QUERY_LENGTH_MAX && !query.includes('\0')
}

function* calls(inputs: readonly Buffer[]): Iterable<readonly Buffer[]> {
  let some: Buffer[] = []
  let bytes = 0
  for (const input of inputs) {
    const isFull = some.length === CALL_RECORDS_MAX || bytes + input.byteLength > CALL_BYTES_MAX
    if (isFull && some.length > 0) {
      yield some
      some = []
      bytes = 0
    }
    some.push(input)
    bytes += input.byteLength
  }
  if (some.length > 0) yield some
}

function runCall(query: string, inputs: readonly Buffer[]): JqCall {
  let end = 0
  const ends = inputs.map((input) => (end += input.byteLength))
  const bytes = new Uint8Array(end)
  for (const [index, input] of inputs.entries()) bytes.set(input, ends[index - 1] ?? 0)
  return { kind: 'run', query, bytes, ends }
}
