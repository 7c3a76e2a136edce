/**
 * The loop that takes a sealed batch to its destination.
 *
 *   claim ▸ read the manifest, if there is one ▸ encode ▸ freeze ▸ deliver each output ▸ commit
 *                                                                        └▸ error output ┘
 *
 * Any step may be the last of a process. Before `freeze` nothing has left; from `freeze` on names and
 * bytes are fixed, so that whoever repeats `deliver` repeats it exactly; `commit` can be repeated.
 * What a destination refuses, or does not take within its retry duration, is one more output, frozen
 * like the others before it is written; from then on it is not offered to the destination again.
 */
import { strict as assert } from 'node:assert'
import type { Backoff } from '../base/backoff.ts'
import { backoffMs } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { BatchContents, BatchReading } from '../batch-store.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import { retentionMs } from '../delivery-stream.ts'
import type { Destination, OpenedSpool, Spool } from '../destination.ts'
import { DeliveryError } from '../destination.ts'
import { ERROR_OUTPUT_KIND } from '../error-output.ts'
import type { ErrorOutput } from '../error-output.ts'
import { ManifestDamaged } from '../manifest.ts'
import { Attempt } from './attempt.ts'
import type { ClaimedBatch, DeliveryHost } from './delivery-host.ts'
import { frozenOutput, manifestOf, refreeze, refreezeOutput } from './manifest-freezing.ts'
import type { OutputState } from './output-state.ts'
import { pendingRecords } from './pending-records.ts'
import { receiptOf } from './receipt-making.ts'
import { Semaphore } from './semaphore.ts'

export interface DeliveryOptions {
  readonly host: DeliveryHost
  readonly contents: BatchContents
  readonly destinations: ReadonlyMap<string, Destination>
  readonly errorOutput: ErrorOutput
  /** `encrypted`: what spills to disk must not be readable there. */
  readonly openSpool: (encrypted: boolean) => OpenedSpool
  /** Batches in hand at once; most of them wait for the network. */
  readonly claimsMax: number
  /** Batches encoded at once; encoding is what costs memory and processor time. */
  readonly encodingsMax: number
  readonly backoff: Backoff
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * So many batches in a row may go nearly whole to the error output; the next one that would brakes the
 * stream, for the fault is likely to be in the configuration and not in the records.
 */
const REFUSED_IN_A_ROW_MAX = 2

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
      await this.#encoding.run(() => this.#encode(attempt))
      await this.#deliverOutputs(attempt, aborted)
      if (attempt.refusedCount > 0) await this.#deliverErrors(attempt, aborted)
      await this.#commit(attempt)
    } catch (error) {
      await this.#fail(attempt, asDeliveryError(error), aborted)
    } finally {
      await attempt.spools.dispose()
    }
  }

  /** Encodes the batch and sees to it that a durable manifest says exactly what was encoded. */
  async #encode(attempt: Attempt): Promise<void> {
    const { contents, clock, logger } = this.#options
    const { batch } = attempt.claimed.claim
    const frozen = attempt.found(await contents.manifest(batch))
    const { stream } = attempt
    const destination = this.#destination(stream)
    attempt.policy = destination.failurePolicy?.(stream)
    const chunks = contents.read(batch)
    const openSpool = this.#spoolsOf(attempt)
    // All its records lie in quarantine, and nothing is left to encode.
    const isLost = frozen?.outputs.length === 0
    const outputs = isLost
      ? []
      : await destination.encode({ batch, stream, chunks, frozen, openSpool })
    const encoded = manifestOf({
      batch,
      stream,
      frozenAtMs: attempt.firstAttemptAtMs(clock.nowMs()),
      outputs,
      quarantinedCount: isLost ? frozen.quarantinedCount : chunks.quarantinedCount,
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

  /**
   * One attempt at each output that is not done. A failure of one does not keep the others from
   * theirs, except where they build on it, or the stream brakes.
   * @throws DeliveryError when something remains to be tried again
   */
  async #deliverOutputs(attempt: Attempt, aborted: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const { policy } = attempt
    let failure: DeliveryError | undefined
    for (const [index, state] of attempt.outputs.entries()) {
      const earlier = attempt.outputs.slice(0, index)
      if (state.isDone) continue
      if (state.output.needsEarlier === true && !earlier.every(({ isDone }) => isDone)) continue
      if (failure?.brake === true || aborted.aborted) break
      try {
        await this.#deliverOne(attempt, state, aborted)
      } catch (error) {
        const found = asDeliveryError(error)
        state.failed(found, clock.nowMs())
        if (!found.retryable && !state.mayRefuse) throw found
        if (found.retryable && (failure === undefined || found.brake)) failure = found
      }
      if (policy?.atLeastOnce === true && index < attempt.outputs.length - 1) {
        await this.#keepProgress(attempt)
      }
    }
    if (attempt.isMostlyRefused) {
      attempt.mostlyRefused = true
      const isLikelyToGoOn = attempt.claimed.refusedInARow >= REFUSED_IN_A_ROW_MAX
      if (isLikelyToGoOn && !attempt.hasFrozenErrors) {
        attempt.reprieve()
        throw mostlyRefused(attempt)
      }
    }
    const isOver = this.#remainingMs(attempt) === 0
    if (isOver && failure?.brake !== true && !aborted.aborted) {
      for (const state of attempt.outputs) state.giveUp()
    }
    if (!attempt.isDone) throw failure ?? recordsPending(attempt)
  }

  async #deliverOne(attempt: Attempt, state: OutputState, signal: AbortSignal): Promise<void> {
    const { contents, clock } = this.#options
    const { claim, stream: currentStream } = attempt.claimed
    const { batch } = claim
    const { output, formerSha256s, attempts: earlierAttempts } = state
    const readings: BatchReading[] = []
    const failures = await this.#destination(attempt.stream).deliver({
      batch,
      output,
      stream: attempt.stream,
      currentStream,
      formerSha256s,
      earlierAttempts,
      records() {
        const reading = contents.read(batch, output.range)
        readings.push(reading)
        return pendingRecords(reading, state)
      },
      signal,
    })
    for (const reading of readings) checkStillWhole(reading, attempt)
    state.attempted(failures, clock.nowMs())
  }

  /** Writes what was refused to the error output, as one more output of the manifest. */
  async #deliverErrors(attempt: Attempt, signal: AbortSignal): Promise<void> {
    const { contents, errorOutput, logger } = this.#options
    const { batch } = attempt.claimed.claim
    const { stream, policy } = attempt
    assert(policy !== undefined, 'only a destination with a failure policy refuses records')
    const before = attempt.manifest()
    const chunks = contents.read(batch)
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
      policy,
      output: { ...output, target: frozen.target },
      formerSha256s: frozen.formerSha256s,
      signal,
    })
  }

  async #commit(attempt: Attempt): Promise<void> {
    const { host, clock } = this.#options
    const { claim } = attempt.claimed
    const receipt = receiptOf(claim, attempt.stream, attempt.manifest(), clock.nowMs())
    await host.commit(claim, receipt, attempt.mostlyRefused)
  }

  async #fail(attempt: Attempt, error: DeliveryError, aborted: AbortSignal): Promise<void> {
    const { host, clock } = this.#options
    const { claim, stream } = attempt.claimed
    const failure = { errorCode: error.errorCode, errorMessage: error.message }
    if (attempt.isEncoded) await this.#keepOrThaw(attempt)
    const expired = clock.nowMs() - claim.batch.firstArrivalMs > retentionMs(stream)
    if ((!error.retryable || expired) && !aborted.aborted) {
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
      const fields = { batchId: batch.batchId, error }
      logger.error(fields, 'Cannot keep how far a batch has come; it is tried again with less.')
    }
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

/** What has gone bad since the batch was encoded must not pass for delivered: it is encoded anew. */
function checkStillWhole({ quarantinedCount }: BatchReading, attempt: Attempt): void {
  if (quarantinedCount <= attempt.quarantinedCount) return
  throw new DeliveryError('InternalError', 'Cannot read a chunk that was sound before', {
    retryable: true,
    effect: 'unknown',
  })
}

function mostlyRefused({ lastFailure, claimed }: Attempt): DeliveryError {
  const { errorCode = '', errorMessage = '' } = lastFailure ?? {}
  const batches = claimed.refusedInARow + 1
  const message = `Nearly all records of ${batches} batches in a row were refused; the last: ${errorMessage}`
  return new DeliveryError(errorCode, message, { retryable: true, effect: 'none', brake: true })
}

function recordsPending({ lastFailure }: Attempt): DeliveryError {
  const { errorCode = 'RequestAborted', errorMessage = 'The attempt was given up' } =
    lastFailure ?? {}
  return new DeliveryError(errorCode, errorMessage, { retryable: true, effect: 'unknown' })
}

/**
 * What is not classified is a fault of ours: tried again, as everything is that may cure itself. A
 * damaged manifest does not, and without it a repeat could double the batch: an operator decides.
 */
function asDeliveryError(error: unknown): DeliveryError {
  if (error instanceof DeliveryError) return error
  if (error instanceof ManifestDamaged) {
    const message = `${error.message}; see \`standpipe data repair\``
    const options = { retryable: false, effect: 'unknown', cause: error } as const
    return new DeliveryError('ManifestDamaged', message, options)
  }
  const message = error instanceof Error ? error.message : String(error)
  const options = { retryable: true, effect: 'unknown', cause: error } as const
  return new DeliveryError('InternalError', message, options)
}
