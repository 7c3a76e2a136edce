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

  retried(claim: Claim, { brake }: Retry): void {
    if (brake) this.#brake(claim)
  }

  /** Beyond its retention a batch is parked where others brake; it too waits for somebody to resume. */
  parked(claim: Claim): void {
    this.#brake(claim)
  }

  #brake({ batch: { streamId } }: Claim): void {
    const refusals = this.#streams.get(streamId)
    if (refusals !== undefined) refusals.braked = true
  }
}
