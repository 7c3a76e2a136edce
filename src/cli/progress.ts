import type { Clock } from '../base/clock.ts'

const CLEAR_LINE = '\r\u001B[2K'
/** On a terminal the line is drawn over itself; elsewhere lines pile up, so they are few. */
const TERMINAL_PAUSE_MS = 100
const PLAIN_PAUSE_MS = 5_000

/** One line on stderr that tells how far something is. */
export class Progress {
  readonly #enabled: boolean
  readonly #clock: Clock
  #nextMs = 0
  #isLineOpen = false

  constructor(enabled: boolean, clock: Clock) {
    this.#enabled = enabled
    this.#clock = clock
  }

  show(text: string): void {
    const nowMs = this.#clock.monotonicMs()
    if (!this.#enabled || nowMs < this.#nextMs) return
    const isTerminal = process.stderr.isTTY
    this.#nextMs = nowMs + (isTerminal ? TERMINAL_PAUSE_MS : PLAIN_PAUSE_MS)
    this.#isLineOpen = isTerminal
    // What is wider than the terminal would not be cleared as one line.
    const shown = isTerminal ? text.slice(0, process.stderr.columns - 1) : text
    process.stderr.write(isTerminal ? CLEAR_LINE + shown : `${shown}\n`)
  }

  /** Takes the line away, so that what follows stands alone. */
  end(): void {
    if (this.#isLineOpen) process.stderr.write(CLEAR_LINE)
    this.#isLineOpen = false
  }
}
