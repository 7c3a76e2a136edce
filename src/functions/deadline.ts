import type { Clock } from '../base/clock.ts'
import { InvocationError } from '../functions.ts'

export interface Deadline {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Does a piece of work that heeds the signal it is given.
 * @throws InvocationError when the time is over, the signal's reason when that has aborted, else what
 *   the work throws
 */
export async function withDeadline<T>(
  { clock, timeoutMs, signal }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const over = new AbortController()
  const late = new AbortController()
  void clock.sleep(timeoutMs, over.signal).then(() => {
    if (!over.signal.aborted) late.abort()
  })
  try {
    return await work(AbortSignal.any([signal, late.signal]))
  } catch (error) {
    signal.throwIfAborted()
    if (late.signal.aborted) throw timedOut(timeoutMs)
    throw error
  } finally {
    over.abort()
  }
}

export function timedOut(timeoutMs: number): InvocationError {
  const seconds = (timeoutMs / 1_000).toFixed(2)
  return functionError('Sandbox.Timedout', `Task timed out after ${seconds} seconds`)
}

/** What Lambda reports of a function that failed, be it by itself or by its limits. */
export function functionError(
  errorType: string,
  message: string,
  cause?: unknown,
): InvocationError {
  return new InvocationError('Lambda.FunctionError', `${errorType}: ${message}`, { cause })
}
