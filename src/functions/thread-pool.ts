/** The threads of one function's code: started when needed, ended when idle. */
import type { FunctionAnswer, TransformationEvent } from '../functions.ts'
import { functionError } from './deadline.ts'
import { FunctionThread } from './function-thread.ts'
import type { FunctionThreadOptions } from './function-thread.ts'

const THREADS_MAX = 2
const IDLE_MS_MAX = 60_000

interface IdleThread {
  readonly thread: FunctionThread
  readonly taken: AbortController
}

export class ThreadPool {
  readonly #options: FunctionThreadOptions
  readonly #idle: IdleThread[] = []
  readonly #busy = new Set<FunctionThread>()
  /** Resolved and replaced when a thread is given back. */
  #givenBack = Promise.withResolvers<void>()
  #isClosed = false

  constructor(options: FunctionThreadOptions) {
    this.#options = options
  }

  /**
   * Waits for its turn, which is no part of the function's time.
   * @throws InvocationError, or the signal's reason
   */
  async invoke(
    event: TransformationEvent,
    functionArn: string,
    signal: AbortSignal,
  ): Promise<FunctionAnswer> {
    const thread = await this.#take(signal)
    try {
      return await thread.invoke(event, functionArn, signal)
    } finally {
      this.#giveBack(thread)
    }
  }

  /** Ends all threads; what is under way fails. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const { taken } of this.#idle) taken.abort()
    this.#givenBack.resolve()
    const threads = [...this.#busy, ...this.#idle.splice(0).map(({ thread }) => thread)]
    await Promise.all(threads.map((thread) => thread.end()))
  }

  async #take(signal: AbortSignal): Promise<FunctionThread> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#isClosed) throw functionError('Runtime.ExitError', 'the function was ended')
      const thread = this.#free()
      if (thread !== undefined) {
        this.#busy.add(thread)
        return thread
      }
      await turn(this.#givenBack.promise, signal)
    }
  }

  /** The thread that was used last, so that the others may end; else a new one, if there is room. */
  #free(): FunctionThread | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      idle.taken.abort()
      if (!idle.thread.hasEnded) return idle.thread
    }
    return this.#busy.size < THREADS_MAX ? new FunctionThread(this.#options) : undefined
  }

  #giveBack(thread: FunctionThread): void {
    this.#busy.delete(thread)
    if (!thread.hasEnded) void this.#keep(thread)
    this.#givenBack.resolve()
    this.#givenBack = Promise.withResolvers()
  }

  async #keep(thread: FunctionThread): Promise<void> {
    if (this.#isClosed) return await thread.end()
    const idle = { thread, taken: new AbortController() }
    this.#idle.push(idle)
    await this.#options.clock.sleep(IDLE_MS_MAX, idle.taken.signal)
    if (idle.taken.signal.aborted) return
    this.#idle.splice(this.#idle.indexOf(idle), 1)
    await thread.end()
  }
}

/** Resolves when either happens. */
async function turn(givenBack: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>()
  const abort = (): void => aborted.resolve()
  signal.addEventListener('abort', abort)
  await Promise.race([givenBack, aborted.promise])
  signal.removeEventListener('abort', abort)
}
