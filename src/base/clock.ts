/**
 * The only door for time and chance. Nothing else in Standpipe reads a clock, sets a timer or draws
 * a random number, so that the simulation can run the whole engine from a seed.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

export interface Clock {
  /** Wall time in ms since the epoch. May jump in both directions; only for names and stamps. */
  nowMs(): number
  /** Never goes back. For ages, back-off and deadlines. The origin is arbitrary. */
  monotonicMs(): number
  /** Resolves after `durationMs`, or at once when the signal aborts. Never rejects. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>
  /** Uniform in [0, 1). */
  random(): number
  randomBytes(count: number): Buffer
}

/** Longest delay that a timer of Node takes; a longer sleep wakes early and its caller looks again. */
const TIMER_MS_MAX = 2 ** 31 - 1

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(durationMs, signal) {
    if (signal?.aborted === true) return
    const options = signal === undefined ? {} : { signal }
    await delay(Math.min(Math.max(durationMs, 0), TIMER_MS_MAX), undefined, options).catch(
      (error: unknown) => {
        if (signal?.aborted !== true) throw error
      },
    )
  },
  random: () => Math.random(),
  randomBytes: takeRandomBytes,
}

/** Asking the system costs 80 µs, however few bytes; so it is asked for many at once. */
const RANDOM_POOL_BYTES = 4096
let randomPool = Buffer.alloc(0)

function takeRandomBytes(count: number): Buffer {
  if (count > RANDOM_POOL_BYTES / 16) return randomBytes(count)
  if (randomPool.byteLength < count) randomPool = randomBytes(RANDOM_POOL_BYTES)
  const taken = Buffer.from(randomPool.subarray(0, count))
  randomPool = randomPool.subarray(count)
  return taken
}
