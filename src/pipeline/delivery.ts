/**
 * The loop that takes a sealed batch to its destination.
 *
 *   claim ▸ read the manifest, if there is one ▸ encode ▸ freeze ▸ deliver each output ▸ commit
 *
 * Any step may be the last of a process. Before `freeze` nothing has left; from `freeze` on names and
 * bytes are fixed, so that whoever repeats `deliver` repeats it exactly; `commit` can be repeated.
 */
import { strict as assert } from 'node:assert'
import type { Backoff } from '../base/backoff.ts'
import { backoffMs } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { BatchContents } from '../batch-store.ts'
import type { Claim } from '../delivery-queue.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import { retentionMs } from '../delivery-stream.ts'
import type { Destination, EncodedOutput, Spool } from '../destination.ts'
import { DeliveryError } from '../destination.ts'
import type { Manifest } from '../manifest.ts'
import type { Receipt } from '../receipt.ts'
import type { ClaimedBatch, DeliveryHost } from './delivery-host.ts'
import { manifestOf, refreeze } from './manifest-freezing.ts'
import { Semaphore } from './semaphore.ts'

export interface DeliveryOptions {
  readonly host: DeliveryHost
  readonly contents: BatchContents
  readonly destinations: ReadonlyMap<string, Destination>
  /** `encrypted`: what spills to disk must not be readable there. */
  readonly openSpool: (encrypted: boolean) => Spool
  /** Batches in hand at once; most of them wait for the network. */
  readonly claimsMax: number
  /** Batches encoded at once; encoding is what costs memory and processor time. */
  readonly encodingsMax: number
  readonly backoff: Backoff
  readonly clock: Clock
  readonly logger: Logger
}

export class Delivery {
  readonly #options: DeliveryOptions
  readonly #encoding: Semaphore

  constructor(options: DeliveryOptions) {
    this.#options = options
    this.#encoding = new Semaphore(options.encodingsMax)
  }

  /**
   * Delivers batches as they come. Once `draining` aborts, what is due is delivered still, and then
   * it ends; once `aborted` aborts, what is in hand is given up and it ends at once.
   */
  async run(draining: AbortSignal, aborted: AbortSignal): Promise<void> {
    const loops = Array.from({ length: this.#options.claimsMax }, () =>
      this.#loop(draining, aborted),
    )
    await Promise.all(loops)
  }

  async #loop(draining: AbortSignal, aborted: AbortSignal): Promise<void> {
    while (!aborted.aborted) {
      const claimed = await this.#options.host.claim(draining)
      if (claimed === undefined) return
      await this.#work(claimed, aborted)
    }
  }

  async #work(claimed: ClaimedBatch, aborted: AbortSignal): Promise<void> {
    const attempt = new Attempt(claimed)
    try {
      const receipt = await this.#attempt(attempt, aborted)
      await this.#options.host.commit(claimed.claim, receipt)
    } catch (error) {
      await this.#fail(attempt, asDeliveryError(error))
    } finally {
      await Promise.all(attempt.outputs.map((output) => output.content.dispose()))
    }
  }

  async #attempt(attempt: Attempt, aborted: AbortSignal): Promise<Receipt> {
    const { claim } = attempt.claimed
    const manifest = await this.#encoding.run(() => this.#encode(attempt))
    const destination = this.#destination(attempt.stream)
    for (const [index, output] of attempt.outputs.entries()) {
      const formerSha256s = manifest.outputs[index]?.formerSha256s ?? []
      const job = { output, formerSha256s, stream: attempt.stream, signal: aborted }
      await attempt.deliver(() => destination.deliver(job))
    }
    return receiptOf(claim, attempt.stream, manifest, this.#options.clock.nowMs())
  }

  /** Encodes the batch and sees to it that a durable manifest says exactly what was encoded. */
  async #encode(attempt: Attempt): Promise<Manifest> {
    const { contents, openSpool, clock, logger } = this.#options
    const { batch } = attempt.claimed.claim
    const frozen = await contents.manifest(batch)
    attempt.found(frozen)
    const { stream } = attempt
    const chunks = contents.read(batch)
    attempt.outputs = await this.#destination(stream).encode({
      batch,
      stream,
      chunks,
      frozen,
      openSpool: () => openSpool(stream.encryption.status === 'ENABLED'),
    })
    const encoded = manifestOf({
      batch,
      stream,
      frozenAtMs: clock.nowMs(),
      outputs: attempt.outputs,
      quarantinedCount: chunks.quarantinedCount,
    })
    if (frozen === undefined) {
      await contents.freeze(batch, encoded)
      return encoded
    }
    const manifest = refreeze(frozen, encoded)
    if (manifest === frozen) return frozen
    const fields = { batchId: batch.batchId, quarantinedCount: manifest.quarantinedCount }
    logger.warn(fields, 'A batch encodes to other bytes than when it was frozen.')
    await contents.freeze(batch, manifest)
    return manifest
  }

  #destination({ destinationType }: DeliveryStream): Destination {
    const destination = this.#options.destinations.get(destinationType)
    assert(destination !== undefined, `no destination ${destinationType}`)
    return destination
  }

  async #fail(attempt: Attempt, error: DeliveryError): Promise<void> {
    const { host, contents, backoff, clock } = this.#options
    const { claim, stream } = attempt.claimed
    const failure = { errorCode: error.errorCode, errorMessage: error.message }
    if (attempt.isUntouched) await contents.thaw(claim.batch)
    const expired = clock.nowMs() - claim.batch.firstArrivalMs > retentionMs(stream)
    if (!error.retryable || expired) {
      await host.park(claim, failure)
      return
    }
    const streamFailures = claim.streamFailureCount + 1
    const streamAfterMs = backoffMs(backoff, streamFailures, clock)
    await host.retry(claim, {
      ...failure,
      streamAfterMs,
      afterMs:
        claim.attempt > streamFailures ? backoffMs(backoff, claim.attempt, clock) : streamAfterMs,
      brake: error.brake,
    })
  }
}

/** One claim's worth of state: what was encoded, and whether anything can have left the house. */
class Attempt {
  readonly claimed: ClaimedBatch
  outputs: readonly EncodedOutput[] = []
  /** As it was when the names were fixed, else as it is now. */
  stream: DeliveryStream
  /** Until the contrary is known, an earlier claim may have had an effect. */
  #touched = true

  constructor(claimed: ClaimedBatch) {
    this.claimed = claimed
    this.stream = claimed.stream
  }

  /** A manifest that is there already was made by a claim of which nobody knows how far it came. */
  found(frozen: Manifest | undefined): void {
    this.#touched = frozen !== undefined
    if (frozen === undefined) return
    const { versionId, destinationType, destination } = frozen
    this.stream = { ...this.stream, versionId, destinationType, destination }
  }

  async deliver(effect: () => Promise<void>): Promise<void> {
    try {
      await effect()
      this.#touched = true
    } catch (error) {
      if (asDeliveryError(error).effect === 'unknown') this.#touched = true
      throw error
    }
  }

  /** Nothing of this batch has ever taken effect: its manifest may be made anew. */
  get isUntouched(): boolean {
    return !this.#touched
  }
}

function receiptOf(
  claim: Claim,
  stream: DeliveryStream,
  manifest: Manifest,
  deliveredAtMs: number,
): Receipt {
  const { batchId, recordCount, dataBytes, firstArrivalMs, sealedAtMs } = claim.batch
  return {
    batchId,
    streamId: stream.streamId,
    streamName: stream.name,
    recordCount,
    dataBytes,
    firstArrivalMs,
    sealedAtMs,
    deliveredAtMs,
    attempts: claim.attempt,
    outputs: manifest.outputs.map(({ kind, target, accounting, recordCount, sizeBytes }) => ({
      kind,
      target,
      accounting,
      recordCount,
      sizeBytes,
    })),
    droppedCount: manifest.droppedCount,
    quarantinedCount: manifest.quarantinedCount,
  }
}

/** What is not classified is a fault of ours: tried again, as everything is that may cure itself. */
function asDeliveryError(error: unknown): DeliveryError {
  if (error instanceof DeliveryError) return error
  const message = error instanceof Error ? error.message : String(error)
  const options = { retryable: true, effect: 'unknown', cause: error } as const
  return new DeliveryError('InternalError', message, options)
}
