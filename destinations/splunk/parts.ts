/**
 * Finds what Splunk refuses among records of which it takes the rest: it refuses a request as a whole,
 * so a refused one is sent again in halves, and these in halves, until the culprits are alone.
 */
import { DeliveryError } from '../../src/destination.ts'
import type { RecordFailure } from '../../src/destination.ts'
import type { RecordBody } from './record-body.ts'

/** Enough to find three culprits among 10,000 records; what is refused after that is refused whole. */
const REQUEST_COUNT_MAX = 100

interface Part {
  readonly from: number
  readonly to: number
}

/**
 * Sends all records, and says which were left behind.
 * @param send throws a DeliveryError
 * @throws DeliveryError when nothing was sent, or might have been
 */
export async function sendInParts(
  body: RecordBody,
  send: (bytes: Buffer) => Promise<void>,
): Promise<readonly RecordFailure[]> {
  const failures: RecordFailure[] = []
  const leave = ({ from, to }: Part, error: DeliveryError, effect: 'none' | 'unknown'): void => {
    const { errorCode, message: errorMessage, retryable } = error
    for (const ordinal of body.ordinals.slice(from, to)) {
      failures.push({ ordinal, errorCode, errorMessage, retryable, effect })
    }
  }
  const whole = { from: 0, to: body.ordinals.length }
  const parts: Part[] = [whole]
  for (let sent = 1, part = parts.pop(); part !== undefined; sent += 1, part = parts.pop()) {
    const { from, to } = part
    try {
      await send(body.slice(from, to))
    } catch (error) {
      if (!(error instanceof DeliveryError) || (part === whole && error.retryable)) throw error
      if (error.retryable) {
        leave(part, error, error.effect)
        for (const unsent of parts.splice(0)) leave(unsent, error, 'none')
      } else if (to - from === 1 || sent >= REQUEST_COUNT_MAX) leave(part, error, error.effect)
      else {
        const middle = (from + to) >> 1
        parts.push({ from: middle, to }, { from, to: middle })
      }
    }
  }
  return failures
}
