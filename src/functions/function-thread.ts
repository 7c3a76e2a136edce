/**
 * One thread with one function's code in it. It has one invocation at a time. A thread that fails, is
 * late or holds too much is ended, and is of no use from then on.
 *
 * V8's own limit of the heap is only the last resort, and set higher: where a single allocation goes
 * beyond it, V8 ends the process instead of the thread. So the thread is looked at while it runs, which
 * works in an endless loop, too, and ended before it gets there.
 */
import { strict as assert } from 'node:assert'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { FunctionAnswer, InvocationError, TransformationEvent } from '../functions.ts'
import { functionError, timedOut } from './deadline.ts'
import type { ModuleCode } from './module-code.ts'
import { packEvent, unpackAnswer } from './packed-records.ts'
import { isThreadMessage } from './thread-protocol.ts'
import type { Invocation, ThreadAnswer, ThreadData, ThreadFailure } from './thread-protocol.ts'

const MIB = 1024 * 1024
const MEMORY_LOOK_MS = 50
const HEAP_RESERVE_MB = 1_024

export interface FunctionModule {
  readonly functionName: string
  /** URL of its module. */
  readonly module: string
  readonly code: ModuleCode
}

export interface FunctionLimits {
  readonly timeoutMs: number
  /** What a thread may hold, in heap and buffers, garbage included. */
  readonly memoryMB: number
}

export interface FunctionThreadOptions {
  readonly function: FunctionModule
  readonly limits: FunctionLimits
  readonly clock: Clock
  readonly logger: Logger
}

export class FunctionThread {
  readonly #options: FunctionThreadOptions
  readonly #worker: Worker
  readonly #exited = Promise.withResolvers<void>()
  #hasEnded = false
  #pending: PromiseWithResolvers<FunctionAnswer> | undefined

  constructor(options: FunctionThreadOptions) {
    const { functionName, module, code } = options.function
    const { memoryMB } = options.limits
    const workerData: ThreadData = { functionName, memoryMB, module, sources: code.sources }
    this.#options = options
    this.#worker = new Worker(new URL('thread-entry.ts', import.meta.url), {
      workerData,
      name: functionName,
      env: environmentOf(functionName, memoryMB),
      execArgv: [],
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: memoryMB + HEAP_RESERVE_MB },
    })
    // What gets around the thread's console (thread-console.ts) is dropped.
    this.#worker.stdout.resume()
    this.#worker.stderr.resume()
    this.#worker.on('message', (message: unknown) => this.#receive(message))
    this.#worker.on('error', (error: unknown) => this.#crash(uncaught(error)))
    this.#worker.on('exit', (exitCode) => {
      this.#crash(functionError('Runtime.ExitError', `the function exited with code ${exitCode}`))
      this.#exited.resolve()
    })
    this.#worker.unref()
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /**
   * One attempt, the loading of the module included.
   * @throws InvocationError, or the signal's reason
   */
  async invoke(
    event: TransformationEvent,
    functionArn: string,
    signal: AbortSignal,
  ): Promise<FunctionAnswer> {
    assert(this.#pending === undefined && !this.#hasEnded, 'a thread has one invocation at a time')
    signal.throwIfAborted()
    const { clock, limits } = this.#options
    const pending = Promise.withResolvers<FunctionAnswer>()
    const over = new AbortController()
    const giveUp = (): void => this.#fail(signal.reason)
    this.#pending = pending
    signal.addEventListener('abort', giveUp)
    void this.#endWhenLate(over.signal)
    void this.#endWhenGreedy(over.signal)
    this.#worker.ref()
    const deadlineMs = clock.nowMs() + limits.timeoutMs
    const packed = packEvent(event)
    const invocation: Invocation = { event: packed, functionArn, deadlineMs }
    this.#worker.postMessage(invocation, [packed.bytes.buffer])
    try {
      return await pending.promise
    } finally {
      this.#pending = undefined
      over.abort()
      signal.removeEventListener('abort', giveUp)
      this.#worker.unref()
    }
  }

  /** Gives up what is under way. Resolves when the thread is gone. */
  async end(): Promise<void> {
    this.#fail(functionError('Runtime.ExitError', 'the function was ended'))
    await this.#exited.promise
  }

  /** The thread ended by itself. */
  #crash(error: InvocationError): void {
    if (this.#pending === undefined && !this.#hasEnded) {
      const { functionName } = this.#options.function
      this.#options.logger.warn({ functionName, error }, 'A function failed between invocations.')
    }
    this.#fail(error)
  }

  /** The first reason counts. */
  #fail(reason: unknown): void {
    this.#pending?.reject(reason)
    if (this.#hasEnded) return
    this.#hasEnded = true
    void this.#worker.terminate()
  }

  #receive(message: unknown): void {
    // A function may post to its parent, too; nobody listens.
    if (!isThreadMessage(message)) return
    if (message.kind === 'log') return this.#log(message.level, message.text)
    if (this.#pending === undefined || this.#hasEnded) return
    if (message.kind === 'answer') this.#succeed(message)
    else this.#failInvocation(message)
  }

  #succeed({ answer, heldBytes }: ThreadAnswer): void {
    this.#pending?.resolve({ value: unpackAnswer(answer), sizeBytes: answer.sizeBytes })
    if (heldBytes <= this.#options.limits.memoryMB * MIB) return
    const { functionName } = this.#options.function
    const fields = { functionName, heldBytes }
    this.#options.logger.warn(fields, 'A function holds too much memory and is started again.')
    this.#hasEnded = true
    void this.#worker.terminate()
  }

  /** A handler that throws leaves its thread as it was, as in Lambda. */
  #failInvocation({ errorType, errorMessage, isLoadFailure }: ThreadFailure): void {
    const error = functionError(errorType, errorMessage)
    if (!isLoadFailure) return this.#pending?.reject(error)
    const { functionName } = this.#options.function
    this.#options.logger.warn({ functionName, error }, 'A function can not be loaded.')
    this.#fail(error)
  }

  async #endWhenLate(over: AbortSignal): Promise<void> {
    const { clock, limits } = this.#options
    await clock.sleep(limits.timeoutMs, over)
    if (!over.aborted) this.#fail(timedOut(limits.timeoutMs))
  }

  async #endWhenGreedy(over: AbortSignal): Promise<void> {
    const { clock, limits } = this.#options
    for (;;) {
      await clock.sleep(MEMORY_LOOK_MS, over)
      if (over.aborted || this.#hasEnded) return
      // A thread that ends meanwhile has nothing to tell.
      const held = await this.#worker.getHeapStatistics().catch(() => undefined)
      if (held === undefined || over.aborted) continue
      if (held.used_heap_size + held.external_memory <= limits.memoryMB * MIB) continue
      this.#fail(outOfMemory(`the function held more than ${limits.memoryMB} MiB`))
    }
  }

  #log(level: 'info' | 'warn', line: string): void {
    const { functionName } = this.#options.function
    this.#options.logger[level]({ functionName, line }, 'A function wrote a line.')
  }
}

/** What is Standpipe's own, e.g. its keys, is no function's business. */
function environmentOf(functionName: string, memoryMB: number): NodeJS.ProcessEnv {
  const given = Object.entries(process.env).filter(([name]) => !name.startsWith('STANDPIPE_'))
  return {
    ...Object.fromEntries(given),
    AWS_LAMBDA_FUNCTION_NAME: functionName,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMB),
  }
}

/** An error that the function's code did not catch. */
function uncaught(error: unknown): InvocationError {
  if (!(error instanceof Error)) return functionError(typeof error, String(error), error)
  if ((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return outOfMemory(error.message)
  }
  return functionError(error.name, error.message, error)
}

function outOfMemory(message: string): InvocationError {
  return functionError('Runtime.OutOfMemory', message)
}
