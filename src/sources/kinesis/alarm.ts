import type { Clock } from '../../base/clock.ts'

/** A sleep that others may end. One that was rung while nobody slept ends the next. */
export class Alarm {
  #rung = new AbortController()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  ring(): void {
    this.#rung.abort()
  }

  async sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(durationMs, AbortSignal.any([signal, this.#rung.signal]))
    this.#rung = new AbortController()
  }
}
