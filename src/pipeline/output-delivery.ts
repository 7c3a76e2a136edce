import type { Clock } from '../base/clock.ts'
import type { BatchReading } from '../batch-store.ts'
import type { DeliveryError, Destination, RecordFailure } from '../destination.ts'
import type { ErrorOutput } from '../error-output.ts'
import type { Attempt } from './attempt.ts'
import { asDeliveryError, checkStillWhole } from './delivery-failure.ts'
import type { OutputState } from './output-state.ts'
import { pendingRecords } from './pending-records.ts'

export interface OutputDeliveryOptions {
  readonly attempt: Attempt
  readonly destination: Destination
  readonly errorOutput: ErrorOutput
  readonly clock: Clock
  /** Makes durable how far the batch has come. */
  readonly keepProgress: () => Promise<void>
  /** The retry duration is not over: what is left out now is attempted later. */
  readonly hasTime: () => boolean
  readonly aborted: AbortSignal
}

/** A destination that has failed so many outputs in a row is not asked for the other thousands now. */
const FAILED_IN_A_ROW_MAX = 4

/**
 * One attempt at each output of a batch that is not done. A failure of one does not keep the others from
 * theirs, except where they build on it, the stream brakes, or all of the last ones failed.
 */
export class OutputDelivery {
  readonly #options: OutputDeliveryOptions
  #failure: DeliveryError | undefined
  #fatal: DeliveryError | undefined
  #failedInARow = 0

  constructor(options: OutputDeliveryOptions) {
    this.#options = options
  }

  /**
   * @returns the failure that tells why something remains to be tried again
   * @throws DeliveryError when trying again would be of no use
   */
  async run(): Promise<DeliveryError | undefined> {
    const { attempt, destination, hasTime } = this.#options
    const outputs = attempt.outputs.entries()
    const laneCount = destination.outputsInFlightMax ?? 1
    const failedInARowMax = Math.max(FAILED_IN_A_ROW_MAX, 2 * laneCount)
    const lanes = Array.from({ length: laneCount }, async () => {
      for (const [index, state] of outputs) {
        if (this.#isOver) return
        if (this.#failedInARow >= failedInARowMax && hasTime()) return
        await this.#attempt(state, index)
      }
    })
    await Promise.all(lanes)
    if (this.#fatal !== undefined) throw this.#fatal
    return this.#failure
  }

  get #isOver(): boolean {
    return (
      this.#fatal !== undefined || this.#failure?.brake === true || this.#options.aborted.aborted
    )
  }

  async #attempt(state: OutputState, index: number): Promise<void> {
    const { attempt, clock, keepProgress } = this.#options
    if (state.isDone || !this.#mayBegin(state, index)) return
    try {
      state.attempted(await this.#deliver(state), clock.nowMs())
      this.#failedInARow = 0
    } catch (error) {
      const failure = asDeliveryError(error)
      state.failed(failure, clock.nowMs())
      this.#failedInARow += 1
      if (!failure.retryable && !state.mayRefuse) this.#fatal ??= failure
      else if (failure.retryable && (this.#failure === undefined || failure.brake)) {
        this.#failure = failure
      }
      if (this.#fatal !== undefined) return
    }
    const isLast = index === attempt.outputs.length - 1
    if (attempt.policy?.atLeastOnce === true && !isLast) await keepProgress()
  }

  /** Those that need earlier ones are never begun beside them: their destinations have one lane. */
  #mayBegin({ output }: OutputState, index: number): boolean {
    if (output.needsEarlier !== true) return true
    return this.#options.attempt.outputs.slice(0, index).every(({ isDone }) => isDone)
  }

  async #deliver(state: OutputState): Promise<readonly RecordFailure[]> {
    const { attempt, destination, errorOutput, aborted: signal } = this.#options
    const { stream, source } = attempt
    const { output, formerSha256s, attempts: earlierAttempts } = state
    if (output.accounting === 'errored') {
      await errorOutput.deliver({ stream, output, formerSha256s, signal })
      return []
    }
    const readings: BatchReading[] = []
    const failures = await destination.deliver({
      batch: source.batch,
      output,
      stream,
      currentStream: attempt.claimed.stream,
      formerSha256s,
      earlierAttempts,
      records() {
        const reading = source.read(output.range)
        readings.push(reading)
        return pendingRecords(reading, state)
      },
      signal,
    })
    for (const reading of readings) checkStillWhole(reading, attempt)
    return failures
  }
}
