import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { Claim } from '../../delivery-queue.ts'

export interface WaitingClaimsOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** The next batch that is due, if there is one. */
  readonly take: () => Promise<Claim | undefined>
  /** Puts back what nobody waits for any more. */
  readonly giveBack: (claim: Claim) => Promise<void>
}

interface Claimer {
  readonly signal: AbortSignal
  readonly resolve: (claim: Claim | undefined) => void
}

/** What others have delayed is looked for this often. */
const LOOK_MS = 250
/** Known times beyond these are found by looking. */
const TIMES_MAX = 1_000

/** Callers of `claim`: first come, first served, by one who looks for all of them. */
export class WaitingClaims {
  readonly #options: WaitingClaimsOptions
  readonly #claimers = new Set<Claimer>()
  /** When something that was delayed here is due; monotonic ms. */
  #dueTimes: number[] = []
  #pause = new AbortController()
  #serving: Promise<void> | undefined
  #isClosed = false

  constructor(options: WaitingClaimsOptions) {
    this.#options = options
  }

  async claim(signal: AbortSignal): Promise<Claim | undefined> {
    if (this.#isClosed) return undefined
    const { promise, resolve } = Promise.withResolvers<Claim | undefined>()
    const wake = (): void => this.wake()
    this.#claimers.add({ signal, resolve })
    signal.addEventListener('abort', wake, { once: true })
    this.wake()
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }

  /** There may be something to claim, or somebody waits no longer. */
  wake(): void {
    this.#pause.abort()
    this.#serving ??= this.#serve().finally(() => {
      this.#serving = undefined
      // Whoever came after the last look.
      if (this.#claimers.size > 0) this.wake()
    })
  }

  /** Something will be due after so long. */
  wakeAfter(durationMs: number): void {
    if (this.#dueTimes.length >= TIMES_MAX) return
    this.#dueTimes.push(this.#options.clock.monotonicMs() + durationMs)
    // One who sleeps must see how long.
    this.#pause.abort()
  }

  /** Those who wait get nothing any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#pause.abort()
    for (const claimer of this.#claimers) this.#answer(claimer, undefined)
    await this.#serving
  }

  async #serve(): Promise<void> {
    const { clock } = this.#options
    while (this.#claimers.size > 0) {
      const asked = [...this.#claimers]
      this.#pause = new AbortController()
      const nowMs = clock.monotonicMs()
      this.#dueTimes = this.#dueTimes.filter((atMs) => atMs > nowMs)
      const claim = await this.#look()
      if (claim !== undefined) {
        await this.#give(claim)
        continue
      }
      for (const claimer of asked) {
        if (claimer.signal.aborted) this.#answer(claimer, undefined)
      }
      const dueMs = Math.min(...this.#dueTimes) - clock.monotonicMs()
      if (this.#claimers.size > 0 && dueMs > 0) {
        await clock.sleep(Math.min(dueMs, LOOK_MS), this.#pause.signal)
      }
    }
  }

  async #look(): Promise<Claim | undefined> {
    try {
      return await this.#options.take()
    } catch (error) {
      this.#options.logger.warn({ error }, 'Cannot look for a batch to deliver. It is tried again.')
      return undefined
    }
  }

  async #give(claim: Claim): Promise<void> {
    const [claimer] = this.#claimers
    if (claimer === undefined) await this.#options.giveBack(claim)
    else this.#answer(claimer, claim)
  }

  #answer(claimer: Claimer, claim: Claim | undefined): void {
    this.#claimers.delete(claimer)
    claimer.resolve(claim)
  }
}
