/**
 * Calls a function with invocations of one batch. An attempt without an answer is repeated after a
 * back-off, as often as the processor allows; an answer, be it junk, is final. The function is leased
 * once for the batch: from its first call to its last one, it is the same code.
 */
import { backoffMs } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import { makeUuid } from '../../base/uuid.ts'
import { DeliveryError } from '../../destination.ts'
import { InvocationError } from '../../functions.ts'
import type { FunctionAnswer, FunctionLease, Functions } from '../../functions.ts'
import type { ProcessingJob } from '../../processor.ts'
import { judge, MalformedAnswer, MISSING } from './lambda-answer.ts'
import type { Verdict } from './lambda-answer.ts'
import { PAYLOAD_BYTES_MAX } from './lambda-invocation.ts'
import type { Invocation } from './lambda-invocation.ts'

export interface CallerOptions {
  readonly arn: string
  /** Attempts after the first. */
  readonly retries: number
  readonly functions: Functions
  readonly clock: Clock
}

/** What came of an invocation. */
export interface Outcome {
  readonly invocation: Invocation
  /** One for each of its records. */
  readonly verdicts: readonly Verdict[]
  readonly attemptsMade: number
  /** When the last attempt ended. */
  readonly atMs: number
}

interface Attempt {
  readonly verdicts: readonly Verdict[]
  readonly errorCode?: string
  readonly retryable: boolean
}

const MESSAGE_LENGTH_MAX = 1_000
const BACKOFF = { firstMs: 100, maxMs: 10_000 }

export class Caller {
  readonly #options: CallerOptions
  readonly #job: ProcessingJob
  /** Never one that was refused. */
  #lease: Promise<FunctionLease> | undefined

  constructor(options: CallerOptions, job: ProcessingJob) {
    this.#options = options
    this.#job = job
  }

  /** @throws DeliveryError when the signal aborts */
  async call(invocation: Invocation, signal: AbortSignal): Promise<Outcome> {
    const { clock, retries } = this.#options
    const { requestBytes } = invocation
    if (requestBytes > PAYLOAD_BYTES_MAX) {
      const message = `The record makes a request of ${requestBytes} bytes, more than ${PAYLOAD_BYTES_MAX}`
      const verdicts = failAll(invocation, 'Lambda.FunctionError', message)
      return { invocation, verdicts, attemptsMade: 0, atMs: clock.nowMs() }
    }
    for (let attemptsMade = 1; ; attemptsMade += 1) {
      const { verdicts, retryable } = await this.#attempt(invocation, signal)
      if (!retryable || attemptsMade > retries) {
        return { invocation, verdicts, attemptsMade, atMs: clock.nowMs() }
      }
      await clock.sleep(backoffMs(BACKOFF, attemptsMade, clock), signal)
    }
  }

  /** Once all calls are over. */
  async release(): Promise<void> {
    const lease = await this.#lease
    lease?.release()
  }

  async #attempt(invocation: Invocation, signal: AbortSignal): Promise<Attempt> {
    const { arn, clock } = this.#options
    const startMs = clock.monotonicMs()
    const answer = await this.#invoke(invocation, signal)
    const durationMs = clock.monotonicMs() - startMs
    const attempt =
      answer instanceof InvocationError
        ? failedAttempt(invocation, answer)
        : answeredAttempt(invocation, answer)
    const { errorCode } = attempt
    this.#job.observe({
      name: arn,
      durationMs,
      recordCount: invocation.records.length,
      ...(errorCode !== undefined && { errorCode }),
    })
    return attempt
  }

  async #invoke(
    { event }: Invocation,
    signal: AbortSignal,
  ): Promise<FunctionAnswer | InvocationError> {
    const { arn, clock } = this.#options
    try {
      signal.throwIfAborted()
      const lease = await this.#leased()
      return await lease.invoke({ invocationId: makeUuid(clock), ...event }, signal)
    } catch (error) {
      if (signal.aborted) {
        const options = { retryable: true, effect: 'none', cause: error } as const
        throw new DeliveryError('Lambda.RequestAborted', `Cannot invoke ${arn}: stopped`, options)
      }
      if (error instanceof InvocationError) return error
      throw error
    }
  }

  #leased(): Promise<FunctionLease> {
    this.#lease ??= this.#options.functions.lease(this.#options.arn).catch((error: unknown) => {
      this.#lease = undefined
      throw error
    })
    return this.#lease
  }
}

function failedAttempt(invocation: Invocation, { errorCode, message }: InvocationError): Attempt {
  return { verdicts: failAll(invocation, errorCode, message), errorCode, retryable: true }
}

function answeredAttempt(invocation: Invocation, answer: FunctionAnswer): Attempt {
  try {
    const verdicts = judge(answer, invocation.event)
    const { errorCode } = MISSING
    return { verdicts, ...(verdicts.includes(MISSING) && { errorCode }), retryable: false }
  } catch (error) {
    if (!(error instanceof MalformedAnswer)) throw error
    const { errorCode, message } = error
    return { verdicts: failAll(invocation, errorCode, message), errorCode, retryable: false }
  }
}

/** The message stands in the error record of each of them, and a function may say what it likes. */
function failAll({ records }: Invocation, errorCode: string, message: string): readonly Verdict[] {
  const errorMessage = message.slice(0, MESSAGE_LENGTH_MAX)
  return records.map(() => ({ kind: 'failed', errorCode, errorMessage }))
}
