/** What a destination or a source does not take of its configuration is the caller's mistake. */
import { ConfigurationError } from '../../destination.ts'
import { ApiError } from '../exceptions.ts'

/** @throws ApiError InvalidArgumentException for a ConfigurationError */
export function answerFor<Result>(configure: () => Result): Result {
  try {
    return configure()
  } catch (error) {
    throw asAnswer(error)
  }
}

/** An ApiError for a ConfigurationError; any other error as it is. */
export function asAnswer(error: unknown): unknown {
  if (!(error instanceof ConfigurationError)) return error
  return new ApiError('InvalidArgumentException', error.message, { cause: error })
}
