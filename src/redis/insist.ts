import { BackendUnavailable } from '../backend.ts'
import type { Clock } from '../base/clock.ts'

/** How long a server that restarts or is replaced is waited for. */
const INSIST_MS = 5_000
const FIRST_PAUSE_MS = 20
const PAUSE_MS_MAX = 500

/** What servers answer while they start, fail over, or move a slot; 6.2 puts it behind other words. */
const PASSING_ANSWERS =
  /(?:^|-)(?:LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MOVED|ASK|NOREPLICAS|BUSY)\b/
const OUT_OF_MEMORY = /(?:^|-)OOM\b/
/** How the client calls it that a connection is gone, or none can be had. */
const CONNECTION_ERRORS = new Set([
  'AbortError',
  'MaxRetriesPerRequestError',
  'ClusterAllFailedError',
])
const CONNECTION_CLOSED = 'Connection is closed.'
/** How the client begins when a slot takes its time to move. */
const REDIRECTED_TOO_OFTEN = 'Too many Cluster redirections'

/** Redis did not answer in time. What it was asked may be done, or be done later. */
export class Unanswered extends BackendUnavailable {
  override readonly name = 'Unanswered'
}

/**
 * Asks Redis, and asks again while it fails in a way that passes. So what is asked must bear to be done
 * twice.
 * @throws Unanswered, or what does not pass
 */
export async function insist<Answer>(
  ask: () => Promise<Answer>,
  { clock, withinMs = INSIST_MS }: { readonly clock: Clock; readonly withinMs?: number },
): Promise<Answer> {
  const over = new AbortController()
  const deadlineMs = clock.monotonicMs() + withinMs
  const tooLate = clock.sleep(withinMs, over.signal).then(() => {
    throw new Unanswered(`Redis did not answer within ${withinMs} ms`)
  })
  try {
    return await Promise.race([repeat(ask, clock, deadlineMs), tooLate])
  } finally {
    over.abort()
  }
}

async function repeat<Answer>(
  ask: () => Promise<Answer>,
  clock: Clock,
  deadlineMs: number,
): Promise<Answer> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
    try {
      return await ask()
    } catch (error) {
      if (!isPassing(error)) throw error
      if (clock.monotonicMs() + pauseMs > deadlineMs) {
        throw new Unanswered(`Redis failed: ${(error as Error).message}`, { cause: error })
      }
      await clock.sleep(pauseMs)
    }
  }
}

/** Whether the same may succeed in a moment. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error.name === 'ReplyError') return PASSING_ANSWERS.test(error.message)
  if (error.message.startsWith(REDIRECTED_TOO_OFTEN)) return true
  return (
    CONNECTION_ERRORS.has(error.name) || error.message === CONNECTION_CLOSED || 'syscall' in error
  )
}

/** Redis has reached maxmemory, and has done nothing. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && OUT_OF_MEMORY.test(error.message)
}
