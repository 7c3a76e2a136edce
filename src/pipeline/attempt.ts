/** What one claim of a batch knows: its outputs, how far they are, and whether anything took effect. */
import { strict as assert } from 'node:assert'
import type { Failure } from '../delivery-queue.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { EncodedOutput, FailurePolicy } from '../destination.ts'
import { ERROR_OUTPUT_KIND } from '../error-output.ts'
import type { FrozenOutput, Manifest } from '../manifest.ts'
import { AttemptSpools } from './attempt-spools.ts'
import type { ClaimedBatch } from './delivery-host.ts'
import { OutputState } from './output-state.ts'
import type { BatchSource } from './processed-batch.ts'

const TELLING_COUNT_MIN = 10
const MOSTLY = 0.9
/**
 * So many batches in a row may go nearly whole to the error output; the next one that would brakes the
 * stream, for the fault is likely to be in the configuration and not in the records.
 */
const REFUSED_IN_A_ROW_MAX = 2

export class Attempt {
  readonly claimed: ClaimedBatch
  readonly spools = new AttemptSpools()
  /** As it was when the names were fixed, else as it is now. */
  stream: DeliveryStream
  /** Of the destination for that stream; absent: nothing is ever refused. */
  policy: FailurePolicy | undefined
  /** The outputs that the destination has; the error output is not among them. */
  outputs: readonly OutputState[] = []
  /** Set when processors or the destination refused nearly all records. */
  mostlyRefused = false
  #source: BatchSource | undefined
  #manifest: Manifest | undefined
  #firstAttemptAtMs: number | undefined
  #thawedAttempts = 0
  /** The manifest was there at claim, so that an earlier claim may have had an effect. */
  #found = false

  constructor(claimed: ClaimedBatch) {
    this.claimed = claimed
    this.stream = claimed.stream
  }

  /**
   * A manifest that is there already was made by a claim of which nobody knows how far it came.
   * @returns the manifest, if names are fixed by it
   */
  found(manifest: Manifest | undefined): Manifest | undefined {
    this.#firstAttemptAtMs = manifest?.frozenAtMs
    const fixed = manifest?.thawed === undefined ? manifest : undefined
    this.#found = fixed !== undefined
    if (manifest?.thawed !== undefined) this.#thawedAttempts = manifest.thawed.attempts
    if (fixed !== undefined) {
      const { versionId, destinationType, destination } = fixed
      this.stream = { ...this.stream, versionId, destinationType, destination }
    }
    return fixed
  }

  /** The batch as processors left it. */
  get source(): BatchSource {
    assert(this.#source !== undefined, 'the batch was processed before')
    return this.#source
  }

  processed(source: BatchSource): void {
    this.#source = source
  }

  /** Gives back what the attempt holds. */
  async dispose(): Promise<void> {
    await this.spools.dispose()
    await this.#source?.close()
  }

  firstAttemptAtMs(nowMs: number): number {
    return this.#firstAttemptAtMs ?? nowMs
  }

  /** What was encoded is about to be frozen. */
  encoded(manifest: Manifest, encoded: readonly EncodedOutput[]): void {
    this.#manifest = manifest
    this.#firstAttemptAtMs = manifest.frozenAtMs
    this.outputs = encoded.map((output, index) => {
      const frozen = manifest.outputs[index]
      assert(frozen !== undefined, 'each output is frozen')
      return new OutputState({
        output,
        frozen,
        batch: this.source.batch,
        policy: this.policy,
        found: this.#found,
        absent: this.source.processing?.absent,
        thawedAttempts: this.#thawedAttempts,
      })
    })
  }

  /** The error output, too, is frozen. */
  errorsFrozen(output: FrozenOutput): void {
    const manifest = this.manifest()
    const outputs = manifest.outputs.filter(({ kind }) => kind !== ERROR_OUTPUT_KIND)
    this.#manifest = { ...manifest, outputs: [...outputs, output] }
  }

  /** Takes the refusals back, unless they are frozen: the destination is to be asked again. */
  reprieve(): void {
    for (const state of this.outputs) state.reprieve()
  }

  /** The destination refused nearly all of a batch that is large enough to tell. */
  get isMostlyRefused(): boolean {
    return isMostly(this.refusedCount, this.source.batch.recordCount)
  }

  /** Processors failed nearly all of it. */
  get isMostlyFailed(): boolean {
    const { accepted, processing } = this.source
    return isMostly(
      processing?.failedCount ?? 0,
      accepted.recordCount + (processing?.madeCount ?? 0),
    )
  }

  /** The batches before it were refused nearly whole. */
  get othersWereRefused(): boolean {
    return this.claimed.refusedInARow >= REFUSED_IN_A_ROW_MAX
  }

  get hasFrozenErrors(): boolean {
    return this.#manifest?.outputs.some(({ kind }) => kind === ERROR_OUTPUT_KIND) ?? false
  }

  /** Records that could not be read when the batch was encoded. */
  get quarantinedCount(): number {
    return this.#manifest?.quarantinedCount ?? 0
  }

  /** The manifest with what the attempts have come to. */
  manifest(): Manifest {
    return this.#manifestWith(this.outputs.map((state) => state.frozen()))
  }

  /** What is to be on disk while an attempt is under way, of which its finder will know nothing. */
  manifestUnderWay(): Manifest {
    return this.#manifestWith(this.outputs.map((state) => state.frozenUnderWay()))
  }

  /** What it takes to begin anew without forgetting when it began. */
  thawedManifest(): Manifest {
    const attempts = Math.max(0, ...this.outputs.map((state) => state.attempts))
    return { ...this.manifest(), outputs: [], thawed: { attempts } }
  }

  /** Nothing of this batch has ever taken effect: its manifest may be made anew. */
  get isUntouched(): boolean {
    const tookEffect = this.outputs.some((state) => state.tookEffect)
    return !this.#found && !this.hasFrozenErrors && !tookEffect
  }

  get isEncoded(): boolean {
    return this.#manifest !== undefined
  }

  get isDone(): boolean {
    return this.outputs.every((state) => state.isDone)
  }

  get refusedCount(): number {
    return this.outputs.reduce((sum, { refusedCount }) => sum + refusedCount, 0)
  }

  /** The last of those that were refused. */
  get lastRefusal(): Failure | undefined {
    return this.outputs.findLast(({ refusedCount }) => refusedCount > 0)?.lastRefusal
  }

  get lastFailure(): Failure | undefined {
    return this.outputs.find(({ isDone }) => !isDone)?.lastFailure
  }

  #manifestWith(outputs: readonly FrozenOutput[]): Manifest {
    assert(this.#manifest !== undefined, 'the batch is encoded')
    const errorOutputs = this.#manifest.outputs.filter(({ kind }) => kind === ERROR_OUTPUT_KIND)
    return { ...this.#manifest, outputs: [...outputs, ...errorOutputs] }
  }
}

function isMostly(count: number, recordCount: number): boolean {
  return recordCount >= TELLING_COUNT_MIN && count >= recordCount * MOSTLY
}
