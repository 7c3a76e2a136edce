import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { HeldClaims } from './held-claims.ts'
import { JOB_PLACES } from './jobs.ts'
import type { JobPlace, Jobs } from './jobs.ts'
import type { Reconciler } from './reconciler.ts'

export interface QueueUpkeepOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly jobs: Jobs
  readonly claims: HeldClaims
  readonly reconciler: Reconciler
  readonly takesJobs: boolean
  readonly lockMs: number
  readonly stalledMs: number
  /** There may be something to claim. */
  readonly onFreed: () => void
}

const RECONCILE_MS = 5_000
/** So that two renewals may fail before a claim is lost. */
const RENEWALS_A_LOCK = 4

/** What a queue does time and again: claims in hand stay locked, those of the dead are found. */
export class QueueUpkeep {
  readonly #options: QueueUpkeepOptions

  constructor(options: QueueUpkeepOptions) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    const { takesJobs, lockMs, stalledMs, reconciler } = this.#options
    const mending = this.#every(RECONCILE_MS, signal, () => reconciler.runInTurn(RECONCILE_MS))
    if (takesJobs) {
      await Promise.all([
        this.#every(lockMs / RENEWALS_A_LOCK, signal, () => this.#keepLocks()),
        this.#every(stalledMs, signal, () => this.#recoverStalled()),
      ])
    }
    await mending
  }

  async #every(intervalMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const { clock, logger } = this.#options
    while (!signal.aborted) {
      // Processes that started together drift apart.
      await clock.sleep(intervalMs * (0.75 + clock.random() / 2), signal)
      if (signal.aborted) return
      try {
        await work()
      } catch (error) {
        logger.warn({ error }, 'Cannot look after the queue. It is tried again.')
      }
    }
  }

  async #keepLocks(): Promise<void> {
    await Promise.all(JOB_PLACES.map((place) => this.#keepLocksOf(place)))
  }

  async #keepLocksOf(place: JobPlace): Promise<void> {
    const { claims, jobs, logger, onFreed } = this.#options
    const held = claims.all().filter((claim) => claim.place === place)
    const lost = await jobs.extendLocks(
      place,
      held.map(({ job }) => job),
    )
    for (const { token, batch } of held) {
      // It may have ended meanwhile.
      if (!lost.includes(batch.batchId) || claims.get(token) === undefined) continue
      claims.remove(token)
      const fields = { batchId: batch.batchId, streamId: batch.streamId }
      logger.warn(fields, 'A claim was lost: its lock was not renewed in time.')
      onFreed()
    }
  }

  async #recoverStalled(): Promise<void> {
    if (await this.#options.jobs.recoverStalled()) this.#options.onFreed()
  }
}
