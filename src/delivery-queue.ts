/**
 * Which sealed batch is worked on next, and by whom. The queue keeps streams apart: a stream whose
 * last attempt failed is a *suspect*: it has one batch in flight (its probe), not before the failure's
 * `streamAfterMs` is over. All suspects together hold at most half of the claims, so that dead destinations
 * never starve live ones.
 *
 * A batch is   waiting ─claim▶ in flight ─complete▶ gone
 *                 ▲                 ├─retry▶ waiting, not before `afterMs`
 *                 └────resume───────┴─park▶ parked (beyond its retention: reported, never deleted)
 *
 * A stream is  running ─pause▶ paused ─resume▶ running
 *              running ─retry with brake▶ braked: a suspect that says so, until a probe succeeds or `resume`
 */
import type { BatchId, SealedBatch } from './batch.ts'

export interface Claim {
  readonly token: string
  readonly batch: SealedBatch
  /** 1 for the first. Counted since the process started; a restart begins again. */
  readonly attempt: number
  /** Failures of the stream's batches since one succeeded or it was resumed; 0 in good health. */
  readonly streamFailureCount: number
}

export interface Failure {
  readonly errorCode: string
  readonly errorMessage: string
}

export interface Retry extends Failure {
  /** This batch: not before this much time has passed. */
  readonly afterMs: number
  /**
   * Any batch of this stream: not before this much time has passed. Shorter than `afterMs` where one
   * batch fails again and again in a stream that works, so that it is in nobody's way.
   */
  readonly streamAfterMs: number
  /** The cause is an operator's to mend (401, 403, 404): the stream only probes from now on. */
  readonly brake: boolean
}

export type QueueState = 'running' | 'suspect' | 'braked' | 'paused'

export interface StreamQueueStatus {
  readonly state: QueueState
  readonly waitingCount: number
  readonly inFlightCount: number
  readonly parkedCount: number
  /** Records of all batches in the queue, parked ones too. */
  readonly recordCount: number
  readonly dataBytes: number
  /** Arrival of the oldest undelivered record. */
  readonly oldestArrivalMs: number | undefined
  readonly lastFailure: Failure | undefined
}

export interface QueuedBatch {
  readonly batch: SealedBatch
  readonly state: 'waiting' | 'in-flight' | 'parked'
  readonly attempt: number
  /**
   * When the next attempt may begin, in monotonic ms; it may be over. Undefined unless it waits for
   * nothing else.
   */
  readonly nextAttemptMs: number | undefined
  readonly lastFailure: Failure | undefined
}

/** What is said of a claim that its holder has lost, or that has ended, changes nothing. */
export interface DeliveryQueue {
  enqueue(batch: SealedBatch): Promise<void>
  /**
   * The next batch that is due, waiting for one. Once the signal has aborted it waits no longer: a
   * batch that is due now, else undefined. So a drain delivers what it can and no more.
   */
  claim(signal: AbortSignal): Promise<Claim | undefined>
  /** The batch is delivered and gone. The stream is no longer a suspect, and its brake is off. */
  complete(claim: Claim): Promise<void>
  retry(claim: Claim, retry: Retry): Promise<void>
  park(claim: Claim, failure: Failure): Promise<void>
  /** Gives a batch back untried: it is due again, and neither it nor its stream has failed. */
  release(claim: Claim): Promise<void>
  /**
   * The claim takes long for something outside, such as a function that is slow or hangs: it counts no
   * more among the claims that are limited, and its holder bounds how many such claims it has. Until it
   * ends, its stream has at most four in flight, and its other claims count as suspects' do.
   */
  lend(claim: Claim): Promise<void>
  pause(streamId: string): Promise<void>
  /** Lifts pause and brake, forgets failures, and makes parked and waiting batches due now. */
  resume(streamId: string): Promise<void>
  /** Forgets a deleted stream. Claims in flight end as no-ops. */
  discard(streamId: string): Promise<void>
  status(streamId: string): Promise<StreamQueueStatus>
  find(batchId: BatchId): Promise<QueuedBatch | undefined>
  close(): Promise<void>
}
