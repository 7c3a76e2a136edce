import type { Clock } from '../base/clock.ts'
import type { Claim } from '../delivery-queue.ts'
import type { ClaimedBatch, DeliveryHost } from './delivery-host.ts'
import { Semaphore } from './semaphore.ts'

export interface ClaimLanesOptions {
  readonly host: Pick<DeliveryHost, 'claim' | 'lend'>
  /** Batches in hand at once; most of them wait for the network. */
  readonly claimsMax: number
  /** Batches in processors' hands at once, slow ones apart: each has a buffer of records. */
  readonly processingsMax: number
  readonly clock: Clock
}

type Work = (claimed: ClaimedBatch) => Promise<void>

/** A processing that takes longer is in nobody's way any more. */
const SLOW_MS = 5_000
/** Slow ones hold little: what they wait for. */
const LENT_MAX = 16

/**
 * Lanes that each claim a batch and work on it, one after the other. A batch whose processors take long,
 * because a function is slow or hangs, gets a lane beside the others for as long as it takes: so a few
 * bad functions don't keep the streams of all others waiting.
 */
export class ClaimLanes {
  readonly #options: ClaimLanesOptions
  readonly #processing: Semaphore
  readonly #lanes = new Set<Promise<void>>()
  #lentCount = 0
  #openLane: () => void = () => {}

  constructor(options: ClaimLanesOptions) {
    this.#options = options
    this.#processing = new Semaphore(options.processingsMax)
  }

  async run(work: Work, draining: AbortSignal, aborted: AbortSignal): Promise<void> {
    this.#openLane = () => {
      const lane = this.#lane(work, draining, aborted).finally(() => this.#lanes.delete(lane))
      this.#lanes.add(lane)
    }
    for (let count = 0; count < this.#options.claimsMax; count += 1) this.#openLane()
    while (this.#lanes.size > 0) await Promise.all(this.#lanes)
  }

  /** Processes a claimed batch. */
  async process<T>(claim: Claim, task: () => Promise<T>): Promise<T> {
    const release = await this.#processing.acquire()
    const done = new AbortController()
    const lent = this.#lendWhenSlow(claim, release, done.signal)
    try {
      return await task()
    } finally {
      done.abort()
      release()
      if (await lent) this.#lentCount -= 1
    }
  }

  async #lendWhenSlow(claim: Claim, release: () => void, done: AbortSignal): Promise<boolean> {
    const { clock, host } = this.#options
    await clock.sleep(SLOW_MS, done)
    if (done.aborted || this.#lentCount >= LENT_MAX) return false
    this.#lentCount += 1
    await host.lend(claim)
    release()
    this.#openLane()
    return true
  }

  async #lane(work: Work, draining: AbortSignal, aborted: AbortSignal): Promise<void> {
    while (!aborted.aborted) {
      const claimed = await this.#options.host.claim(draining)
      if (claimed === undefined) return
      await work(claimed)
      // A lane beside the others has ended with what it was opened for.
      if (this.#lanes.size > this.#options.claimsMax + this.#lentCount) return
    }
  }
}
