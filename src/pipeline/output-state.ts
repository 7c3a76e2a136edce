/**
 * One output of a batch on its way: which of its records are still to be delivered.
 *
 *   pending ─arrived▶ gone
 *      ├─refused▶ refused (to the error output)
 *      ├─failed, effect none▶ pending
 *      ├─failed, effect unknown▶ pending, fate unknown
 *      └─given up (retry duration over)▶ refused, unless its fate is unknown
 *
 * A record whose fate is unknown stays so until the destination says of it that it arrived or is
 * refused. What is pending while an attempt is under way is of unknown fate to whoever finds the
 * manifest after a crash.
 */
import { strict as assert } from 'node:assert'
import { ordinalEndOf } from '../batch.ts'
import type { SealedBatch } from '../batch.ts'
import type { Failure } from '../delivery-queue.ts'
import type { DeliveryError, EncodedOutput, FailurePolicy, RecordFailure } from '../destination.ts'
import type { FrozenOutput, OutputProgress, Refusal } from '../manifest.ts'
import { RecordSet } from '../record-set.ts'

export interface OutputStateOptions {
  readonly output: EncodedOutput
  readonly frozen: FrozenOutput
  readonly batch: SealedBatch
  /** Absent: nothing is ever refused. */
  readonly policy: Pick<FailurePolicy, 'atLeastOnce'> | undefined
  /** The manifest was there at claim. */
  readonly found: boolean
  /** Ordinals without a record, for processors took it away; absent: none. */
  readonly absent?: RecordSet | undefined
  /** Attempts under an earlier manifest, which took no effect. */
  readonly thawedAttempts: number
}

export class OutputState {
  readonly output: EncodedOutput
  /** Whether its records may go to the error output. Copies and error objects are tried for as long as it takes. */
  readonly mayRefuse: boolean
  readonly #atLeastOnce: boolean
  readonly #frozen: FrozenOutput
  #attempts: number
  #lastAttemptAtMs = 0
  #tookEffect = false
  readonly #pending: RecordSet
  readonly #unknown: RecordSet
  readonly #refused: Refusal[]
  /** Of single records, by the last attempt; all others failed as `#lastFailure` says. */
  readonly #failures = new Map<number, Failure>()
  #lastFailure: Failure | undefined

  constructor({
    output,
    frozen,
    batch,
    policy,
    found,
    absent,
    thawedAttempts,
  }: OutputStateOptions) {
    const { progress, accounting } = frozen
    const { from, to } = frozen.range ?? { from: 0, to: ordinalEndOf(batch) }
    this.output = output
    this.mayRefuse = policy !== undefined && accounting === 'delivered'
    this.#atLeastOnce = policy?.atLeastOnce === true
    this.#frozen = frozen
    this.#attempts = progress?.attempts ?? thawedAttempts
    this.#lastAttemptAtMs = progress?.lastAttemptAtMs ?? 0
    this.#lastFailure = progress?.lastFailure
    this.#refused = [...(progress?.refused ?? [])]
    this.#pending =
      progress === undefined ? RecordSet.range(from, to) : parse(progress.pending, to, from)
    // Without progress the first attempt is under way, or was when its process died.
    const isUnderWay = found && progress === undefined
    this.#unknown = isUnderWay ? RecordSet.range(from, to) : parse(progress?.unknown, to, from)
    if (accounting === 'delivered') this.#without(absent ?? [])
  }

  /** Every record has arrived or was refused. */
  get isDone(): boolean {
    return this.#pending.size === 0
  }

  get attempts(): number {
    return this.#attempts
  }

  get formerSha256s(): readonly string[] {
    return this.#frozen.formerSha256s
  }

  get refusedCount(): number {
    return this.#refused.length
  }

  get lastRefusal(): Failure | undefined {
    const last = this.#refused.at(-1)
    return last && { errorCode: last.errorCode, errorMessage: last.errorMessage }
  }

  get lastFailure(): Failure | undefined {
    return this.#lastFailure
  }

  isPending(ordinal: number): boolean {
    return this.#pending.has(ordinal)
  }

  /** An attempt of this claim has, or may have, written something. */
  get tookEffect(): boolean {
    return this.#tookEffect
  }

  /** An attempt has ended: all pending records but these have arrived. */
  attempted(failures: readonly RecordFailure[], atMs: number): void {
    this.#begin(atMs)
    const left = new Map(failures.map((failure) => [failure.ordinal, failure]))
    for (const ordinal of this.#pending) {
      const failure = left.get(ordinal)
      if (failure === undefined) this.#arrive(ordinal)
      else this.#leave(ordinal, failure)
    }
  }

  /** An attempt has failed as a whole. */
  failed({ errorCode, message, retryable, effect }: DeliveryError, atMs: number): void {
    this.#begin(atMs)
    this.#lastFailure = { errorCode, errorMessage: message }
    for (const ordinal of this.#pending) {
      if (effect === 'unknown') this.#doubt(ordinal)
      if (!retryable) this.#refuseIfKnown(ordinal, this.#lastFailure)
    }
  }

  /** Refuses what is pending, for the retry duration is over. */
  giveUp(): void {
    for (const ordinal of this.#pending) {
      const failure = this.#failures.get(ordinal) ?? this.#lastFailure
      if (failure !== undefined) this.#refuseIfKnown(ordinal, failure)
    }
  }

  /** Makes what was refused pending again. */
  reprieve(): void {
    for (const { ordinal, errorCode, errorMessage } of this.#refused.splice(0)) {
      this.#pending.add(ordinal)
      this.#lastFailure = { errorCode, errorMessage }
    }
  }

  /** As the manifest keeps it. */
  frozen(): FrozenOutput {
    return this.#frozenWith(this.#unknown)
  }

  /** The same while an attempt is under way. */
  frozenUnderWay(): FrozenOutput {
    return this.#frozenWith(this.#pending)
  }

  #frozenWith(unknown: RecordSet): FrozenOutput {
    if (this.#attempts === 0) return this.#frozen
    const progress: OutputProgress = {
      attempts: this.#attempts,
      lastAttemptAtMs: this.#lastAttemptAtMs,
      ...(this.#pending.size > 0 && { pending: this.#pending.toString() }),
      ...(unknown.size > 0 && { unknown: unknown.toString() }),
      refused: this.#refused,
      ...(this.#lastFailure !== undefined && { lastFailure: this.#lastFailure }),
    }
    return { ...this.#frozen, progress }
  }

  #begin(atMs: number): void {
    this.#attempts += 1
    this.#lastAttemptAtMs = atMs
    this.#failures.clear()
  }

  #arrive(ordinal: number): void {
    this.#settle(ordinal)
    this.#tookEffect = true
  }

  #leave(ordinal: number, failure: RecordFailure): void {
    const { errorCode, errorMessage, retryable, effect } = failure
    assert(retryable || this.mayRefuse, 'nothing is refused without a policy, and never a copy')
    this.#lastFailure = { errorCode, errorMessage }
    this.#failures.set(ordinal, this.#lastFailure)
    if (effect === 'unknown') this.#doubt(ordinal)
    // Said of the record itself, it holds for the earlier attempts, too.
    else if (!retryable) this.#unknown.delete(ordinal)
    if (!retryable) this.#refuseIfKnown(ordinal, failure)
  }

  #doubt(ordinal: number): void {
    this.#unknown.add(ordinal)
    this.#tookEffect = true
  }

  /** In two places a record must not be, unless its destination may double it anyway. */
  #refuseIfKnown(ordinal: number, failure: Failure): void {
    if (!this.mayRefuse) return
    if (this.#atLeastOnce || !this.#unknown.has(ordinal)) this.#refuse(ordinal, failure)
  }

  #refuse(ordinal: number, { errorCode, errorMessage }: Failure): void {
    this.#settle(ordinal)
    const attempts = this.#attempts
    this.#refused.push({ ordinal, errorCode, errorMessage, attempts, atMs: this.#lastAttemptAtMs })
  }

  #without(absent: Iterable<number>): void {
    for (const ordinal of absent) {
      if (this.#pending.has(ordinal)) this.#settle(ordinal)
    }
  }

  #settle(ordinal: number): void {
    this.#pending.delete(ordinal)
    this.#unknown.delete(ordinal)
  }
}

function parse(text: string | undefined, to: number, from: number): RecordSet {
  return text === undefined ? RecordSet.empty(to, from) : RecordSet.parse(text)
}
