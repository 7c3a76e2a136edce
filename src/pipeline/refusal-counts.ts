import type { Claim, Retry } from '../delivery-queue.ts'

interface Refusals {
  batchCount: number
  /** The stream brakes for them. */
  braked: boolean
}

/** How many batches of each stream, in a row, its destination refused nearly whole. */
export class RefusalCounts {
  readonly #streams = new Map<string, Refusals>()

  count({ batch, streamFailureCount }: Claim): number {
    const refusals = this.#streams.get(batch.streamId)
    if (refusals === undefined) return 0
    // The stream brakes no more: somebody resumed it and means it.
    if (refusals.braked && streamFailureCount === 0) this.#streams.delete(batch.streamId)
    return this.#streams.get(batch.streamId)?.batchCount ?? 0
  }

  committed({ batch: { streamId } }: Claim, mostlyRefused: boolean): void {
    const refusals = this.#streams.get(streamId)
    if (!mostlyRefused) this.#streams.delete(streamId)
    else if (refusals === undefined) this.#streams.set(streamId, { batchCount: 1, braked: false })
    else {
      refusals.batchCount += 1
      // It lifted the brake; nobody resumed anything.
      refusals.braked = false
    }
  }

  retried({ batch: { streamId } }: Claim, { brake }: Retry): void {
    const refusals = this.#streams.get(streamId)
    if (brake && refusals !== undefined) refusals.braked = true
  }
}
