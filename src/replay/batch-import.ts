import type { Clock } from '../base/clock.ts'
import { AppendError } from '../batch-store.ts'
import type { BatchStore } from '../batch-store.ts'
import type { BatchId, Chunk } from '../batch.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { Intake } from '../pipeline/intake.ts'
import type { StreamRegistry } from '../pipeline/stream-registry.ts'

/** A replay leaves the rest of the quota to records that come for the first time. */
const QUOTA_SHARE = 0.5
const ROOM_POLL_MS = 500

export interface BatchImportOptions {
  readonly registry: StreamRegistry
  readonly intake: Intake
  readonly store: BatchStore
  readonly clock: Clock
  /** As it was when the replay began. */
  readonly target: DeliveryStream
  readonly recordsPerSecond: number | undefined
  /** Ends every wait. */
  readonly signal: AbortSignal
  /** Told what is waited for. */
  readonly onWait: (reason: string) => void
}

/** Puts batches into a replay's target, when there is room for them and no faster than it may. */
export class BatchImport {
  readonly #options: BatchImportOptions

  constructor(options: BatchImportOptions) {
    this.#options = options
  }

  /** What a batch may grow to: the target's own size, and a second's worth of records. */
  limits(): { readonly partBytesMax: number; readonly partRecordsMax: number } {
    const { intake, recordsPerSecond = Infinity } = this.#options
    return { partBytesMax: intake.batchBytesMax(this.#target()), partRecordsMax: recordsPerSecond }
  }

  /** Waits until a batch may be begun. Throws when the replay is cancelled. */
  async admit(): Promise<void> {
    const { store, clock, signal, onWait } = this.#options
    for (;;) {
      signal.throwIfAborted()
      const { storedBytes, quotaBytes } = store.usage()
      if (storedBytes <= quotaBytes * QUOTA_SHARE) return
      onWait('Waiting for deliveries: half of the disk quota is in use')
      await clock.sleep(ROOM_POLL_MS, signal)
    }
  }

  /**
   * @returns whether the batch was made now
   * @throws AppendError, KeyUnavailable
   */
  async import(
    batchId: BatchId,
    chunks: () => AsyncIterable<Chunk>,
    recordCount: number,
  ): Promise<boolean> {
    const { intake, clock, signal, recordsPerSecond, onWait } = this.#options
    for (;;) {
      signal.throwIfAborted()
      try {
        const isNew = await intake.import(this.#target(), batchId, chunks())
        if (isNew && recordsPerSecond !== undefined) {
          await clock.sleep((recordCount / recordsPerSecond) * 1_000, signal)
        }
        return isNew
      } catch (error) {
        if (!(error instanceof AppendError) || error.reason !== 'full') throw error
        onWait(error.message)
        await clock.sleep(ROOM_POLL_MS, signal)
      }
    }
  }

  /** As it is now: its configuration may change on the way. */
  #target(): DeliveryStream {
    const { registry, target } = this.#options
    const current = registry.byId(target.streamId)
    if (current?.status === 'ACTIVE') return current
    throw new Error(`Cannot replay into ${target.name}: the stream is gone`)
  }
}
