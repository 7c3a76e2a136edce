import { randomBytes } from 'node:crypto'
import type { Clock } from '../../src/base/clock.ts'

/** Time stands until it is told to go on. */
export class ManualClock implements Clock {
  #wallMs = Date.UTC(2026, 6, 13, 14, 15, 16)
  #monotonicMs = 1_000
  readonly #sleepers = new Set<{ atMs: number; wake: () => void }>()
  /** Told of each new wall time; for what reads it elsewhere. */
  onAdvance: (wallMs: number) => void = () => {}

  nowMs(): number {
    return this.#wallMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  /** How many timers are set. */
  get sleeperCount(): number {
    return this.#sleepers.size
  }

  advance(durationMs: number): void {
    this.#wallMs += durationMs
    this.#monotonicMs += durationMs
    this.onAdvance(this.#wallMs)
    for (const sleeper of this.#sleepers) {
      if (sleeper.atMs <= this.#monotonicMs) sleeper.wake()
    }
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve()
    return new Promise((resolve) => {
      const sleeper = {
        atMs: this.#monotonicMs + durationMs,
        wake: () => {
          this.#sleepers.delete(sleeper)
          resolve()
        },
      }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', sleeper.wake, { once: true })
    })
  }

  random(): number {
    return 0.5
  }

  randomBytes(count: number): Buffer {
    return randomBytes(count)
  }
}
