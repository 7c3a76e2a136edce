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

/** A batch that is processed, or is to be when it is its turn. */
interface InProcess {
  readonly claim: Claim
  /** Its stream had a slow one before it. */
  isRepeated: boolean
  isLent: boolean
  /** It has given its turn away. */
  isSlow: boolean
}

/** A processing that takes longer is in nobody's way any more. */
const SLOW_MS = 5_000
/** Slow ones hold little: what they wait for. */
const SLOW_MAX = 16
/** Of these, such whose streams have others among them; so there is room for streams that have none. */
const SLOW_REPEATED_MAX = SLOW_MAX / 2
/** Most of them wait for their turn and hold nothing. */
const LENT_MAX = 128

/**
 * Lanes that each claim a batch and work on it, one after the other. A batch whose processors take long,
 * because a function is slow or hangs, gets a lane beside the others for as long as it takes, and so do
 * those of its stream that come after it, which then wait for each other: so a few bad functions don't
 * keep the streams of all others waiting, however much they have to do.
 */
export class ClaimLanes {
  readonly #options: ClaimLanesOptions
  readonly #processing: Semaphore
  readonly #slowProcessing = new Semaphore(1)
  readonly #lanes = new Set<Promise<void>>()
  /** Lent claims, by stream. */
  readonly #lent = new Map<string, number>()
  #lentCount = 0
  #slowCount = 0
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

  /** Processes a claimed batch, when it is its turn. */
  async process<T>(claim: Claim, task: () => Promise<T>): Promise<T> {
    const processing: InProcess = { claim, isRepeated: false, isLent: false, isSlow: false }
    const release = await this.#turn(processing)
    const done = new AbortController()
    const watching = this.#watch(processing, release, done.signal)
    try {
      return await task()
    } finally {
      done.abort()
      release()
      await watching
      this.#forget(processing)
    }
  }

  /** @returns what gives the turn to the next one */
  async #turn(processing: InProcess): Promise<() => void> {
    const { streamId } = processing.claim.batch
    if (!this.#lent.has(streamId)) {
      const release = await this.#processing.acquire()
      // The stream may have turned out to be slow while this one waited.
      if (!this.#lent.has(streamId)) return release
      release()
    }
    processing.isRepeated = true
    await this.#lend(processing)
    return await this.#slowProcessing.acquire()
  }

  async #watch(processing: InProcess, release: () => void, done: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(SLOW_MS, done)
    if (done.aborted) return
    await this.#lend(processing)
    if (this.#slowCount >= (processing.isRepeated ? SLOW_REPEATED_MAX : SLOW_MAX)) return
    processing.isSlow = true
    this.#slowCount += 1
    release()
  }

  async #lend(processing: InProcess): Promise<void> {
    if (processing.isLent || this.#lentCount >= LENT_MAX) return
    const { claim } = processing
    const { streamId } = claim.batch
    processing.isLent = true
    this.#lentCount += 1
    this.#lent.set(streamId, (this.#lent.get(streamId) ?? 0) + 1)
    await this.#options.host.lend(claim)
    this.#openLane()
  }

  #forget({ claim, isLent, isSlow }: InProcess): void {
    if (isSlow) this.#slowCount -= 1
    if (!isLent) return
    const { streamId } = claim.batch
    this.#lentCount -= 1
    const count = (this.#lent.get(streamId) ?? 0) - 1
    if (count > 0) this.#lent.set(streamId, count)
    else this.#lent.delete(streamId)
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
