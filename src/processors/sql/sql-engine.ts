/**
 * Runs SQL with DuckDB, which is an optional dependency, in processes of its own (sql-process.ts). One
 * is kept for the next batch; a second is started when two batches want SQL at once, so that a query
 * that hangs does not hold up the others. When its time is over, its process is killed.
 */
import { strict as assert } from 'node:assert'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { ConfigurationError, DeliveryError } from '../../destination.ts'
import type { SqlFailure } from './sql-messages.ts'
import { SqlWorker } from './sql-worker.ts'
import type { SqlDone } from './sql-worker.ts'

/** With a batch of 128 MB, each takes half a gigabyte. */
const PROCESSES_MAX = 2

export interface SqlEngineOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** For one query over one batch, all told; 60 s unless given. */
  readonly timeoutMs?: number
  /**
   * Of DuckDB for one batch, in its own spelling; `256MB` unless given. What doesn't fit fails: nothing is
   * written to disk, where it would lie unencrypted.
   */
  readonly memoryLimit?: string
}

/** The query can't be run on these records, and could not if it were tried again. */
export class SqlQueryError extends Error {
  override readonly name = 'SqlQueryError'
}

export class SqlEngine {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #timeoutMs: number
  readonly #memoryLimit: string
  readonly #workers = new Set<SqlWorker>()
  #idle: SqlWorker | undefined
  readonly #waiting: (() => void)[] = []
  #busy = 0
  readonly #closing = new AbortController()

  constructor({ clock, logger, timeoutMs = 60_000, memoryLimit = '256MB' }: SqlEngineOptions) {
    this.#clock = clock
    this.#logger = logger
    this.#timeoutMs = timeoutMs
    this.#memoryLimit = memoryLimit
  }

  /**
   * Whether the query can be run: all that it names must be there, but for columns, which are the records'.
   * @throws ConfigurationError when it can't, or DuckDB can't be had
   */
  async check(query: string): Promise<void> {
    const outcome = await this.#converse(this.#closing.signal, (worker) => worker.check(query))
    if (outcome.kind === 'done') return
    throw new ConfigurationError(
      outcome.reason === 'unavailable'
        ? `Cannot use the SQL processor: ${outcome.message}`
        : `Cannot use the SQL query: ${outcome.message}`,
    )
  }

  /**
   * The rows of the query over a batch, as JSON.
   * @throws SqlQueryError
   * @throws DeliveryError when the signal aborts, or DuckDB can't be had now
   */
  async run(query: string, records: readonly Buffer[], signal: AbortSignal): Promise<SqlDone> {
    const stop = AbortSignal.any([signal, this.#closing.signal])
    const outcome = await this.#converse(stop, (worker) => worker.run(query, records))
    if (outcome.kind === 'done') return outcome
    if (stop.aborted) throw unavailable('SQL.Interrupted', 'the process is ending')
    if (outcome.reason === 'unavailable') throw unavailable('SQL.Unavailable', outcome.message)
    throw new SqlQueryError(outcome.message)
  }

  /** Gives up what is under way. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all([...this.#workers].map((worker) => worker.kill()))
  }

  async #converse(
    stop: AbortSignal,
    talk: (worker: SqlWorker) => Promise<SqlDone | SqlFailure>,
  ): Promise<SqlDone | SqlFailure> {
    await this.#enter()
    try {
      if (stop.aborted) return { kind: 'failed', reason: 'ended', message: 'It was given up' }
      const worker = this.#take()
      const outcome = await this.#limited(worker, stop, talk(worker))
      await this.#giveBack(worker)
      return outcome
    } finally {
      this.#leave()
    }
  }

  /** Kills the process when its time is over or it is wanted no more. */
  async #limited(
    worker: SqlWorker,
    stop: AbortSignal,
    talk: Promise<SqlDone | SqlFailure>,
  ): Promise<SqlDone | SqlFailure> {
    const over = new AbortController()
    let isTimedOut = false
    const watch = this.#clock
      .sleep(this.#timeoutMs, AbortSignal.any([stop, over.signal]))
      .then(async () => {
        if (over.signal.aborted) return
        isTimedOut = !stop.aborted
        await worker.kill()
      })
    const outcome = await talk
    over.abort()
    await watch
    if (outcome.kind === 'done' || outcome.reason !== 'ended' || stop.aborted) return outcome
    const message = isTimedOut ? `It took longer than ${this.#timeoutMs} ms` : outcome.message
    this.#logger.warn({ reason: message }, 'A process that ran SQL is gone; the next starts anew.')
    return { ...outcome, message }
  }

  #take(): SqlWorker {
    const idle = this.#idle
    this.#idle = undefined
    if (idle?.isFit === true) return idle
    // It died of itself.
    if (idle !== undefined) this.#workers.delete(idle)
    const worker = new SqlWorker(this.#memoryLimit)
    this.#workers.add(worker)
    return worker
  }

  /** One is kept. */
  async #giveBack(worker: SqlWorker): Promise<void> {
    if (worker.isFit && this.#idle === undefined && !this.#closing.signal.aborted) {
      this.#idle = worker
      return
    }
    this.#workers.delete(worker)
    await worker.kill()
  }

  async #enter(): Promise<void> {
    if (this.#busy === PROCESSES_MAX) {
      await new Promise<void>((resolve) => void this.#waiting.push(resolve))
    } else {
      this.#busy += 1
    }
    assert(this.#busy <= PROCESSES_MAX)
  }

  /** Whoever waits takes over the place. */
  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#busy -= 1
    else next()
  }
}

function unavailable(errorCode: string, reason: string): DeliveryError {
  return new DeliveryError(errorCode, `Cannot run SQL: ${reason}`, {
    retryable: true,
    effect: 'none',
  })
}
