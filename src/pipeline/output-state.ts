/**
 * One output of a batch on its way: which of its records are still to be delivered.
 *
 *   pending ─arrived▶ gone
 *      ├─refused▶ refused (to the error output)
 *      ├─failed, effect none▶ pending
 *      ├─failed, effect unknown▶ pending, fate unknown
 *      └─given up (retry duration over)▶ refused, unless its fate is unknown
 *
 * A record whose fate is unknown stays so until an attempt ends with it arrived or refused.
 */
import type { SealedBatch } from '../batch.ts'
import type { Failure } from '../delivery-queue.ts'
import type { DeliveryError, EncodedOutput, RecordFailure } from '../destination.ts'
import type { FrozenOutput, OutputProgress, Refusal } from '../manifest.ts'
import { RecordSet } from '../record-set.ts'

export class OutputState {
  readonly output: EncodedOutput
  readonly #frozen: FrozenOutput
  #attempts: number
  #lastAttemptAtMs = 0
  readonly #pending: RecordSet
  readonly #unknown: RecordSet
  readonly #refused: Refusal[]
  /** Of single records, by the last attempt; all others failed as `#lastFailure` says. */
  readonly #failures = new Map<number, Failure>()
  #lastFailure: Failure | undefined

  /** @param thawedAttempts attempts under an earlier manifest, which took no effect */
  constructor(
    output: EncodedOutput,
    frozen: FrozenOutput,
    batch: SealedBatch,
    thawedAttempts: number,
  ) {
    const { progress } = frozen
    const { from, to } = frozen.range ?? { from: 0, to: batch.recordCount }
    this.output = output
    this.#frozen = frozen
    this.#attempts = progress?.attempts ?? thawedAttempts
    this.#lastAttemptAtMs = progress?.lastAttemptAtMs ?? 0
    this.#lastFailure = progress?.lastFailure
    this.#refused = [...(progress?.refused ?? [])]
    this.#pending = progress === undefined ? RecordSet.range(from, to) : parse(progress.pending, to)
    this.#unknown = parse(progress?.unknown, to)
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

  /** An attempt has ended: all pending records but these have arrived. */
  attempted(failures: readonly RecordFailure[], atMs: number): void {
    this.#begin(atMs)
    if (failures.length === 0) {
      this.#pending.clear()
      this.#unknown.clear()
      return
    }
    const left = new Map(failures.map((failure) => [failure.ordinal, failure]))
    for (const ordinal of this.#pending) {
      const failure = left.get(ordinal)
      if (failure === undefined) this.#settle(ordinal)
      else if (!failure.retryable) this.#refuse(ordinal, failure)
      else {
        const { errorCode, errorMessage } = failure
        this.#lastFailure = { errorCode, errorMessage }
        this.#failures.set(ordinal, this.#lastFailure)
        if (failure.effect === 'unknown') this.#unknown.add(ordinal)
      }
    }
  }

  /** An attempt has failed as a whole. */
  failed({ errorCode, message, retryable, effect }: DeliveryError, atMs: number): void {
    this.#begin(atMs)
    this.#lastFailure = { errorCode, errorMessage: message }
    for (const ordinal of this.#pending) {
      if (!retryable) this.#refuse(ordinal, this.#lastFailure)
      else if (effect === 'unknown') this.#unknown.add(ordinal)
    }
  }

  /** Refuses what is pending, for the retry duration is over. */
  giveUp({ withUnknown }: { readonly withUnknown: boolean }): void {
    for (const ordinal of this.#pending) {
      if (this.#unknown.has(ordinal) && !withUnknown) continue
      const failure = this.#failures.get(ordinal) ?? this.#lastFailure
      if (failure !== undefined) this.#refuse(ordinal, failure)
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
    if (this.#attempts === 0) return this.#frozen
    const progress: OutputProgress = {
      attempts: this.#attempts,
      lastAttemptAtMs: this.#lastAttemptAtMs,
      ...(this.#pending.size > 0 && { pending: this.#pending.toString() }),
      ...(this.#unknown.size > 0 && { unknown: this.#unknown.toString() }),
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

  #refuse(ordinal: number, { errorCode, errorMessage }: Failure): void {
    this.#settle(ordinal)
    const attempts = this.#attempts
    this.#refused.push({ ordinal, errorCode, errorMessage, attempts, atMs: this.#lastAttemptAtMs })
  }

  #settle(ordinal: number): void {
    this.#pending.delete(ordinal)
    this.#unknown.delete(ordinal)
  }
}

function parse(text: string | undefined, recordCount: number): RecordSet {
  return text === undefined ? RecordSet.empty(recordCount) : RecordSet.parse(text)
}
