import { AppendError } from '../../batch-store.ts'
import { isOutOfMemory } from '../insist.ts'

/** What an append or import fails with when Redis fails. */
export function appendFailure(cause: unknown): AppendError {
  if (cause instanceof AppendError) return cause
  if (isOutOfMemory(cause)) {
    return new AppendError('full', 'Cannot append: Redis has no memory left', { cause })
  }
  const why = cause instanceof Error ? cause.message : String(cause)
  return new AppendError('failed', `Cannot append: Redis failed (${why})`, { cause })
}
