/**
 * The loop that takes a sealed batch to its destination.
 *
 *   claim ▸ read the manifest, if there is one ▸ process ▸ encode ▸ freeze ▸ deliver each output ▸ commit
 *                                                                                  └▸ error output ┘
 *
 * Any step may be the last of a process. Before `freeze` nothing has left, but what processors made is
 * staged, so that they are not asked twice; from `freeze` on names and
 * bytes are fixed, so that whoever repeats `deliver` repeats it exactly; `commit` can be repeated.
 * What a destination refuses, or does not take within its retry duration, is one more output, frozen
 * like the others before it is written; from then on it is not offered to the destination again.
 */
import { strict as assert } from 'node:assert'
import type { Backoff } from '../base/backoff.ts'
import { backoffMs } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { ClaimLost, ordinalEndOf } from '../batch.ts'
import type { BatchContents } from '../batch-store.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import { retentionMs } from '../delivery-stream.ts'
import type { Destination, OpenedSpool, Spool } from '../destination.ts'
import type { DeliveryError } from '../destination.ts'
import { ERROR_OUTPUT_KIND } from '../error-output.ts'
import type { ErrorOutput } from '../error-output.ts'
import type { Manifest } from '../manifest.ts'
import { StagingDamaged } from '../staging.ts'
import { Attempt } from './attempt.ts'
import { encodeBatch } from './batch-encoding.ts'
import { ClaimLanes } from './claim-lanes.ts'
import {
  asDeliveryError,
  checkStillWhole,
  mostlyRefused,
  recordsPending,
} from './delivery-failure.ts'
import type { ClaimedBatch, DeliveryHost } from './delivery-host.ts'
import { frozenOutput, manifestOf, refreeze, refreezeOutput } from './manifest-freezing.ts'
import { OutputDelivery } from './output-delivery.ts'
import type { BatchSource } from './processed-batch.ts'
import type { Processing } from './processing.ts'
import { receiptOf } from './receipt-making.ts'
import { Semaphore } from './semaphore.ts'

export interface DeliveryOptions {
  readonly host: DeliveryHost
  readonly contents: BatchContents
  readonly processing: Processing
  readonly destinations: ReadonlyMap<string, Destination>
  readonly errorOutput: ErrorOutput
  /** `encrypted`: what spills to disk must not be readable there. */
  readonly openSpool: (encrypted: boolean) => OpenedSpool
  /** Batches in hand at once; most of them wait for the network. */
  readonly claimsMax: number
  /** Batches that processors have at once, each with its buffer of records. */
  readonly processingsMax: number
  /** Batches encoded at once; encoding is what costs memory and processor time. */
  readonly encodingsMax: number
  readonly backoff: Backoff
  readonly clock: Clock
  readonly logger: Logger
}

export class Delivery {
  readonly #options: DeliveryOptions
  readonly #lanes: ClaimLanes
  readonly #encoding: Semaphore

  constructor(options: DeliveryOptions) {
    this.#options = options
    this.#lanes = new ClaimLanes(options)
    this.#encoding = new Semaphore(options.encodingsMax)
  }

  /**
   * Delivers batches as they come. Once `draining` aborts, what is due is delivered still, and then
   * it ends; once `aborted` aborts, what is in hand is given up and it ends at once.
   */
  async run(draining: AbortSignal, aborted: AbortSignal): Promise<void> {
    await this.#lanes.run((claimed) => this.#work(claimed, aborted), draining, aborted)
  }

  async #work(claimed: ClaimedBatch, aborted: AbortSignal): Promise<void> {
    const attempt = new Attempt(claimed)
    try {
      await this.#deliver(attempt, aborted)
    } catch (error) {
      if (!(error instanceof ClaimLost)) throw error
      await this.#letGo(attempt, error)
    } finally {
      await attempt.dispose()
    }
  }

  /** @throws ClaimLost, wherever that turns out */
  async #deliver(attempt: Attempt, aborted: AbortSignal): Promise<void> {
    try {
      const frozen = await this.#process(attempt, aborted)
      await this.#encoding.run(() => this.#encode(attempt, frozen))
      await this.#deliverOutputs(attempt, aborted)
      if (attempt.refusedCount > 0) await this.#deliverErrors(attempt, aborted)
      await this.#commit(attempt)
    } catch (error) {
      if (error instanceof ClaimLost) throw error
      await this.#fail(attempt, asDeliveryError(error), aborted)
    }
  }

  /**
   * The batch as it is to be delivered. It may take long, for functions may; then another batch is
   * claimed beside it.
   */
  async #process(attempt: Attempt, signal: AbortSignal): Promise<Manifest | undefined> {
    const { contents, processing, host } = this.#options
    const { claim } = attempt.claimed
    const { batch } = claim
    const frozen = attempt.found(await contents.manifest(batch))
    const { stream } = attempt
    const destination = this.#destination(stream)
    attempt.policy = destination.failurePolicy?.(stream)
    const process = (): Promise<BatchSource> =>
      processing.source({
        batch,
        stream,
        partitions: destination.partitioning?.(stream),
        frozen,
        signal,
        observe: (execution) => host.observe(stream.streamId, execution),
      })
    const concerned = processing.concerns(stream)
    attempt.processed(await (concerned ? this.#lanes.process(claim, process) : process()))
    attempt.mostlyRefused = attempt.isMostlyFailed
    if (attempt.isMostlyFailed && attempt.othersWereRefused && frozen === undefined) {
      await contents.unstage(batch)
      throw mostlyRefused(attempt, attempt.source.processing?.lastFailure)
    }
    return frozen
  }

  /** Encodes the batch and sees to it that a durable manifest says exactly what was encoded. */
  async #encode(attempt: Attempt, frozen: Manifest | undefined): Promise<void> {
    const { contents, clock, errorOutput, logger } = this.#options
    const { stream, source } = attempt
    const { batch } = attempt.claimed.claim
    const { outputs, quarantinedCount } = await encodeBatch({
      source,
      stream,
      destination: this.#destination(stream),
      errorOutput,
      frozen,
      openSpool: this.#spoolsOf(attempt),
    })
    const encoded = manifestOf({
      batch,
      stream,
      frozenAtMs: attempt.firstAttemptAtMs(clock.nowMs()),
      outputs,
      quarantinedCount,
      processing: source.processing,
    })
    const manifest = frozen === undefined ? encoded : refreeze(frozen, encoded)
    if (frozen !== undefined && manifest !== frozen) {
      const fields = { batchId: batch.batchId, quarantinedCount: manifest.quarantinedCount }
      logger.warn(fields, 'A batch encodes to other bytes than when it was frozen.')
    }
    attempt.encoded(manifest, outputs)
    // One that was found, too: it may be there without being durable, and now an attempt begins.
    await contents.freeze(batch, attempt.manifestUnderWay())
  }

  /** @throws DeliveryError when something remains to be tried again */
  async #deliverOutputs(attempt: Attempt, aborted: AbortSignal): Promise<void> {
    const { clock, errorOutput } = this.#options
    const outputs = new OutputDelivery({
      attempt,
      destination: this.#destination(attempt.stream),
      errorOutput,
      clock,
      keepProgress: () => this.#keepProgress(attempt),
      hasTime: () => this.#remainingMs(attempt) > 0,
      aborted,
    })
    const failure = await outputs.run()
    attempt.mostlyRefused ||= attempt.isMostlyRefused
    if (attempt.isMostlyRefused && attempt.othersWereRefused && !attempt.hasFrozenErrors) {
      attempt.reprieve()
      throw mostlyRefused(attempt, attempt.lastFailure)
    }
    const isOver = this.#remainingMs(attempt) === 0
    if (isOver && failure?.brake !== true && !aborted.aborted) {
      for (const state of attempt.outputs) state.giveUp()
    }
    if (!attempt.isDone) throw failure ?? recordsPending(attempt)
  }

  /** Writes what was refused to the error output, as one more output of the manifest. */
  async #deliverErrors(attempt: Attempt, signal: AbortSignal): Promise<void> {
    const { contents, errorOutput, logger } = this.#options
    const { stream, policy, source } = attempt
    const { batch } = source
    assert(policy !== undefined, 'only a destination with a failure policy refuses records')
    const before = attempt.manifest()
    const chunks = source.read()
    const openSpool = this.#spoolsOf(attempt)
    const output = await this.#encoding.run(() =>
      errorOutput.encode({ batch, stream, policy, manifest: before, chunks, openSpool }),
    )
    checkStillWhole(chunks, attempt)
    const outputs = before.outputs.filter(({ kind }) => kind !== ERROR_OUTPUT_KIND)
    const known = before.outputs.find(({ kind }) => kind === ERROR_OUTPUT_KIND)
    const now = frozenOutput(output)
    const frozen = known === undefined ? now : refreezeOutput(known, now)
    if (frozen !== known) {
      await contents.freeze(batch, { ...before, outputs: [...outputs, frozen] })
      attempt.errorsFrozen(frozen)
    }
    const { lastRefusal } = attempt
    const fields = {
      deliveryStreamARN: stream.arn,
      deliveryStreamVersionId: String(stream.versionId),
      destination: stream.destinationType,
      batchId: batch.batchId,
      recordCount: output.recordCount,
      ...lastRefusal,
      target: frozen.target,
    }
    logger.warn(fields, 'Records go to the error output.')
    await errorOutput.deliver({
      stream,
      output: { ...output, target: frozen.target },
      formerSha256s: frozen.formerSha256s,
      signal,
    })
  }

  async #commit(attempt: Attempt): Promise<void> {
    const { host, clock } = this.#options
    const { claim } = attempt.claimed
    const receipt = receiptOf(
      claim,
      ordinalEndOf(attempt.source.batch),
      attempt.stream,
      attempt.manifest(),
      clock.nowMs(),
    )
    await host.commit(claim, receipt, attempt.mostlyRefused)
  }

  /** Whoever has the batch now finds the manifest, and repeats what it says. */
  async #letGo({ claimed }: Attempt, error: ClaimLost): Promise<void> {
    const { host, logger } = this.#options
    const { claim } = claimed
    const { batchId, streamId } = claim.batch
    const fields = { batchId, streamId, reason: error.message }
    logger.warn(fields, 'A batch is in the hands of another worker meanwhile.')
    // Only whoever keeps count of this worker's claims has an ear for it.
    await host.release(claim)
  }

  async #fail(attempt: Attempt, error: DeliveryError, aborted: AbortSignal): Promise<void> {
    const { host, clock } = this.#options
    const { claim, stream } = attempt.claimed
    const failure = { errorCode: error.errorCode, errorMessage: error.message }
    if (attempt.isEncoded) await this.#keepOrThaw(attempt)
    if (aborted.aborted) {
      await host.release(claim)
      return
    }
    const isDamaged = error.cause instanceof StagingDamaged
    const retryable = error.retryable || (isDamaged && (await this.#processAnew(attempt)))
    const expired = clock.nowMs() - claim.batch.firstArrivalMs > retentionMs(stream)
    if (!retryable || expired) {
      await host.park(claim, failure)
      return
    }
    await host.retry(claim, {
      ...failure,
      ...this.#pauses(attempt, error),
      brake: error.brake,
    })
  }

  /**
   * When to try again: not before the destination asks for it, and not so late that the retry
   * duration is over long before.
   */
  #pauses(attempt: Attempt, error: DeliveryError) {
    const { backoff, clock } = this.#options
    const { claim } = attempt.claimed
    const streamFailures = claim.streamFailureCount + 1
    const remainingMs = this.#remainingMs(attempt)
    const latestMs = remainingMs > 0 ? remainingMs : Infinity
    const askedMs = error.retryAfterMs ?? 0
    const pauseMs = (failures: number): number =>
      Math.min(Math.max(backoffMs(backoff, failures, clock), askedMs), latestMs)
    const streamAfterMs = pauseMs(streamFailures)
    const afterMs = claim.attempt > streamFailures ? pauseMs(claim.attempt) : streamAfterMs
    return { streamAfterMs, afterMs }
  }

  /** What is left of the retry duration; infinite where there is none. */
  #remainingMs(attempt: Attempt): number {
    const { policy } = attempt
    if (policy === undefined) return Infinity
    const nowMs = this.#options.clock.nowMs()
    return Math.max(attempt.firstAttemptAtMs(nowMs) + policy.retryDurationMs - nowMs, 0)
  }

  /**
   * A manifest under which nothing has taken effect is given up, so that an update of the stream can
   * cure it. Otherwise it keeps what was done, where that is more than nothing. Where the disk fails,
   * the manifest says that an attempt is under way, which is less than is known, and safe.
   */
  async #keepOrThaw(attempt: Attempt): Promise<void> {
    const { contents, logger } = this.#options
    const { batch } = attempt.claimed.claim
    try {
      if (attempt.isUntouched && attempt.policy === undefined) await contents.thaw(batch)
      else if (attempt.isUntouched) await contents.freeze(batch, attempt.thawedManifest())
      else if (attempt.policy !== undefined || attempt.outputs.some(({ isDone }) => isDone)) {
        await this.#keepProgress(attempt)
      }
    } catch (error) {
      if (error instanceof ClaimLost) throw error
      const fields = { batchId: batch.batchId, error }
      logger.error(fields, 'Cannot keep how far a batch has come; it is tried again with less.')
    }
  }

  /** Where nothing has left yet, processors may have another go at a batch. */
  async #processAnew(attempt: Attempt): Promise<boolean> {
    if (!attempt.isUntouched) return false
    const { contents, logger } = this.#options
    const { batch } = attempt.claimed.claim
    try {
      await contents.unstage(batch)
    } catch (error) {
      if (error instanceof ClaimLost) throw error
      // The next claim finds it damaged, too.
      logger.error({ batchId: batch.batchId, error }, 'Cannot remove what was staged of a batch.')
    }
    return true
  }

  #keepProgress(attempt: Attempt): Promise<void> {
    return this.#options.contents.freeze(attempt.claimed.claim.batch, attempt.manifest())
  }

  #spoolsOf({ spools, stream }: Attempt): () => Spool {
    const { openSpool } = this.#options
    return () => spools.add(openSpool(stream.encryption.status === 'ENABLED'))
  }

  #destination({ destinationType }: DeliveryStream): Destination {
    const destination = this.#options.destinations.get(destinationType)
    assert(destination !== undefined, `no destination ${destinationType}`)
    return destination
  }
}
