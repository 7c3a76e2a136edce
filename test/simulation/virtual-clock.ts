import type { Clock } from '../../src/base/clock.ts'
import type { Chance } from './chance.ts'
import type { Owner, Scheduler } from './scheduler.ts'

/** 2030-01-01T00:00:00Z */
const WALL_ORIGIN_MS = 1_893_456_000_000

/** The shortest delay of a real timer. */
const TIMER_MS_MIN = 1

/** The machine's wall clock, which somebody may set. It survives its processes. */
export class WallClock {
  #offsetMs = WALL_ORIGIN_MS

  /** Forwards or back. */
  jump(byMs: number): void {
    this.#offsetMs += byMs
  }

  nowMs(scheduler: Scheduler): number {
    return this.#offsetMs + scheduler.nowMs
  }
}

/** Clock and chance as one process sees them; its sleeps end with it. */
export function virtualClock(
  scheduler: Scheduler,
  wallClock: WallClock,
  chance: Chance,
  owner: Owner,
): Clock {
  const bornAtMs = scheduler.nowMs
  return {
    nowMs: () => wallClock.nowMs(scheduler),
    monotonicMs: () => scheduler.nowMs - bornAtMs,
    sleep(durationMs, signal) {
      if (signal?.aborted === true) return Promise.resolve()
      return new Promise((resolve) => {
        const wake = (): void => {
          cancel()
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        const cancel = scheduler.after(Math.max(durationMs, TIMER_MS_MIN), owner, 'wake', wake)
        signal?.addEventListener('abort', wake)
      })
    },
    random: chance.random,
    randomBytes: (count) => chance.bytes(count),
  }
}
