import { Worker } from 'node:worker_threads'
import type { Clock } from '../../base/clock.ts'
import { DeliveryError } from '../../destination.ts'
import type { JqAnswer, JqCall, JqFailure } from './jq-call.ts'

export interface JqWorkerOptions {
  readonly clock: Clock
  /** How long a call may take. */
  readonly timeoutMs: number
  readonly memoryBytes: number
}

export interface TimedAnswer {
  readonly answer: JqAnswer
  readonly durationMs: number
}

/** Loading jq takes a fraction of a second; on a busy host, seconds. */
const START_MS_MAX = 30_000
const IDLE_MS_MAX = 60_000
const MODULE = new URL('./jq-thread.ts', import.meta.url)

/**
 * A place where jq runs: a thread that is started at the first call and ended when it was idle for a
 * minute. Calls wait for their turn. One that takes too long or breaks jq costs the thread; the next
 * call starts another.
 */
export class JqWorker {
  readonly #options: JqWorkerOptions
  #thread: JqThread | undefined
  /** Resolves when the last call so far is over. */
  #turn: Promise<void> = Promise.resolve()
  #callCount = 0
  #idling = new AbortController()
  readonly #closing = new AbortController()

  constructor(options: JqWorkerOptions) {
    this.#options = options
  }

  /**
   * A call that was stopped is answered by a failure.
   * @returns the answer, and how long it took without the wait for its turn
   * @throws DeliveryError when the thread can't be started; what the signal was aborted with; Error when
   *   it is closed
   */
  async call(call: JqCall, signal: AbortSignal): Promise<TimedAnswer> {
    this.#callCount += 1
    this.#idling.abort()
    const over = Promise.withResolvers<void>()
    const before = this.#turn
    this.#turn = over.promise
    try {
      await before
      return await this.#callInTurn(call, AbortSignal.any([signal, this.#closing.signal]))
    } finally {
      this.#callCount -= 1
      if (this.#callCount === 0) void this.#endWhenIdle()
      over.resolve()
    }
  }

  /** Ends the thread. Calls under way are given up and throw, as do later ones. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('Cannot run jq: the engine is closed'))
    await this.#turn
    this.#idling.abort()
    await this.#end()
  }

  async #callInTurn(call: JqCall, signal: AbortSignal): Promise<TimedAnswer> {
    signal.throwIfAborted()
    this.#thread ??= await this.#start(signal)
    const { clock, timeoutMs } = this.#options
    const startMs = clock.monotonicMs()
    const asked = this.#thread.ask(call)
    const answer =
      (await this.#within(timeoutMs, asked, signal)) ?? stopped(`it took more than ${timeoutMs} ms`)
    if (answer.kind === 'failure' && answer.isSpent) await this.#end()
    signal.throwIfAborted()
    return { answer, durationMs: clock.monotonicMs() - startMs }
  }

  async #start(signal: AbortSignal): Promise<JqThread> {
    const thread = new JqThread(this.#options.memoryBytes)
    const answer = await this.#within(START_MS_MAX, thread.started, signal)
    if (answer?.kind === 'ready') return thread
    await thread.terminate()
    signal.throwIfAborted()
    const cause = answer?.kind === 'failure' ? answer.message : `not ready after ${START_MS_MAX} ms`
    throw new DeliveryError('MetadataExtraction.EngineFailed', `Cannot start jq: ${cause}`, {
      retryable: true,
      effect: 'none',
    })
  }

  /** Undefined when the time is over, or the signal aborts. */
  async #within<Value>(
    durationMs: number,
    promise: Promise<Value>,
    signal: AbortSignal,
  ): Promise<Value | undefined> {
    const settled = new AbortController()
    const { clock } = this.#options
    const limit = clock.sleep(durationMs, AbortSignal.any([settled.signal, signal]))
    try {
      return await Promise.race([promise, limit.then(() => undefined)])
    } finally {
      settled.abort()
    }
  }

  async #endWhenIdle(): Promise<void> {
    const { signal } = (this.#idling = new AbortController())
    await this.#options.clock.sleep(IDLE_MS_MAX, signal)
    if (!signal.aborted) await this.#end()
  }

  async #end(): Promise<void> {
    const thread = this.#thread
    this.#thread = undefined
    await thread?.terminate()
  }
}

/** One life of a thread. It never rejects: a thread that ends answers with a failure. */
class JqThread {
  /** `ready`, or a failure. */
  readonly started: Promise<JqAnswer>
  readonly #worker: Worker
  #settle: (answer: JqAnswer) => void
  #end: JqFailure | undefined

  constructor(memoryBytes: number) {
    const { promise, resolve } = Promise.withResolvers<JqAnswer>()
    this.started = promise
    this.#settle = resolve
    this.#worker = new Worker(MODULE, { workerData: { memoryBytes }, env: {} })
    this.#worker.on('message', (answer: JqAnswer) => this.#settle(answer))
    this.#worker.on('error', (error) => this.#over(error.message))
    this.#worker.on('exit', () => this.#over('its thread ended'))
  }

  /** One call at a time. The memory of its records goes to the thread. */
  ask(call: JqCall): Promise<JqAnswer> {
    if (this.#end !== undefined) return Promise.resolve(this.#end)
    const { promise, resolve } = Promise.withResolvers<JqAnswer>()
    this.#settle = resolve
    this.#worker.postMessage(call, call.kind === 'run' ? [call.bytes.buffer] : [])
    return promise
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  #over(reason: string): void {
    this.#end ??= stopped(reason)
    this.#settle(this.#end)
  }
}

function stopped(reason: string): JqFailure {
  return { kind: 'failure', message: `jq was stopped: ${reason}`, isSpent: true }
}
