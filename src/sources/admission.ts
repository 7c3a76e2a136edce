/**
 * Holds a source back while its stream's destination does not keep up (law 4), and while the store has
 * little room left, which is for those who can't wait: puts.
 *
 * The backlog is asked for a few times a second at most; what is taken over in between is counted.
 */
import { BackendUnavailable } from '../backend.ts'
import type { Clock } from '../base/clock.ts'
import type { BatchStore } from '../batch-store.ts'
import type { Ledger } from '../pipeline/ledger.ts'
import type { PauseReason } from '../source-reports.ts'

const LOOK_MS = 250
/** Of the store's quota: sources leave the rest. */
const STORE_SHARE_MAX = 0.5
/** Of what made the source pause: below, it goes on. */
const RESUME_SHARE = 0.8

export interface AdmissionOptions {
  readonly streamId: string
  /** Undelivered bytes of the stream. */
  readonly backlogBytesMax: () => number
  readonly ledger: Pick<Ledger, 'status'>
  readonly store: Pick<BatchStore, 'usage'>
  readonly clock: Clock
  readonly onUnavailable: (error: BackendUnavailable) => void
}

export class Admission {
  readonly #options: AdmissionOptions
  /** As it was at the last look, and what was taken over since. */
  #pendingBytes = 0
  #lookedAtMs = -Infinity
  #looking: Promise<boolean> | undefined
  #pausedBy: PauseReason | undefined

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** Undefined: it is not held back. */
  get pausedBy(): PauseReason | undefined {
    return this.#pausedBy
  }

  taken(dataBytes: number): void {
    this.#pendingBytes += dataBytes
  }

  /**
   * Resolves when the stream may have more.
   * @throws the signal's reason once it has aborted
   */
  async admit(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const known = await this.#look()
      signal.throwIfAborted()
      if (known) this.#pausedBy = this.#reason()
      if (known && this.#pausedBy === undefined) return
      await this.#options.clock.sleep(LOOK_MS, signal)
    }
  }

  #reason(): PauseReason | undefined {
    const { backlogBytesMax, store } = this.#options
    const { storedBytes, quotaBytes, accepting } = store.usage()
    const share = this.#pausedBy === undefined ? 1 : RESUME_SHARE
    if (this.#pendingBytes > backlogBytesMax() * share) return 'backlog'
    if (!accepting || storedBytes > quotaBytes * STORE_SHARE_MAX * share) return 'store'
    return undefined
  }

  /** Whether the backlog is known. All who ask at the same time share one look. */
  #look(): Promise<boolean> | true {
    if (this.#options.clock.monotonicMs() - this.#lookedAtMs < LOOK_MS) return true
    this.#looking ??= this.#ask().finally(() => (this.#looking = undefined))
    return this.#looking
  }

  async #ask(): Promise<boolean> {
    const { ledger, streamId, clock, onUnavailable } = this.#options
    try {
      const { pendingBytes } = await ledger.status(streamId)
      this.#pendingBytes = pendingBytes
      this.#lookedAtMs = clock.monotonicMs()
      return true
    } catch (error) {
      if (!(error instanceof BackendUnavailable)) throw error
      onUnavailable(error)
      return false
    }
  }
}
