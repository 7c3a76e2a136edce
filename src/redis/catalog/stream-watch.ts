import type { RedisPlace } from '../../backend.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { disconnect } from '../connection.ts'
import type { Keys } from '../keys.ts'
import type { RedisClient } from '../scripts.ts'
import { subscribe } from '../subscription.ts'

const LOOK_MS = 500

export interface StreamWatchOptions {
  readonly place: RedisPlace
  readonly client: RedisClient
  readonly keys: Keys
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Calls `changed` once in the beginning, on each message of a change, and whenever the counter of changes
 * is another one than it was when `changed` last succeeded: so a message that is lost costs half a second.
 * The counter alone would not do: a Redis that has lost a change counts the next one with the same number.
 */
export async function watchStreamChanges(
  { place, client, keys, clock, logger }: StreamWatchOptions,
  changed: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return
  let nap = new AbortController()
  const wake = (): void => nap.abort()
  signal.addEventListener('abort', wake, { once: true })
  let isTold = true
  const onMessage = (): void => {
    isTold = true
    wake()
  }
  const channel = keys.changes
  const subscriber = subscribe({ place, name: 'changes', logger, channel, onMessage })

  let seen: string | null | undefined
  while (!signal.aborted) {
    nap = new AbortController()
    const wasTold: boolean = isTold
    isTold = false
    try {
      const revision = await client.get(keys.catalog('revision'))
      if ((wasTold || revision !== seen) && !signal.aborted) await changed()
      seen = revision
    } catch (error) {
      isTold ||= wasTold
      logger.debug({ error }, 'Changes of streams were not looked at; the next look is soon.')
    }
    await clock.sleep(LOOK_MS, nap.signal)
  }
  disconnect(subscriber)
}
