import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { BatchId, SealedBatch } from '../../batch.ts'
import type { Claim } from '../../delivery-queue.ts'
import type { HeldClaims } from './held-claims.ts'
import type { BatchJob, JobPlace, Jobs } from './jobs.ts'
import type { LaneFeeder } from './lane-feeder.ts'
import type { ClaimAnswer, LaneQueue } from './lane-queue.ts'
import type { Lane } from '../lanes.ts'

export interface JobTakerOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly jobs: Jobs
  readonly laneQueue: LaneQueue
  readonly claims: HeldClaims
  readonly feeder: LaneFeeder
  readonly sealUnsealed: (streamId: string, lane: number, batchId: BatchId) => Promise<void>
  readonly onDelivered: (batch: SealedBatch) => Promise<void>
}

const TOKEN_BYTES = 16
/** A batch that could not be sealed is looked at again after this. */
const UNSEALED_AGAIN_MS = 1_000

/** Takes jobs, and makes claims of those whose batch's turn it is. */
export class JobTaker {
  readonly #options: JobTakerOptions
  #probesFirst = false

  constructor(options: JobTakerOptions) {
    this.#options = options
  }

  /** The two queues take turns, as far as there is room for what they have. */
  async take(): Promise<Claim | undefined> {
    const places: JobPlace[] = this.#probesFirst
      ? ['probes', 'deliveries']
      : ['deliveries', 'probes']
    for (const place of places) {
      const claim = await this.#takeFrom(place)
      if (claim !== undefined) {
        this.#probesFirst = place === 'deliveries'
        return claim
      }
    }
    return undefined
  }

  async #takeFrom(place: JobPlace): Promise<Claim | undefined> {
    const { claims, clock, jobs } = this.#options
    while (claims.mayTake(place)) {
      const token = clock.randomBytes(TOKEN_BYTES).toString('hex')
      const job = await jobs.take(place, token)
      if (job === undefined) return undefined
      const claim = await this.#claim(place, token, job)
      if (claim !== undefined) return claim
    }
    return undefined
  }

  async #claim(place: JobPlace, token: string, job: BatchJob): Promise<Claim | undefined> {
    const { claims, feeder, jobs, onDelivered } = this.#options
    const lane: Lane = { streamId: job.data.streamId, lane: job.data.lane }
    const answer = await this.#ask(lane, place, token, job)
    if (answer?.what === 'claimed') {
      const { batch, attempt, failureCount } = answer
      claims.add({ token, batch, job, place, lent: false })
      claims.learn(lane, answer.suspect)
      await feeder.feed(lane)
      return { token, batch, attempt, streamFailureCount: failureCount }
    }
    await jobs.drop(job)
    if (answer === undefined) await jobs.add(place, job.data, UNSEALED_AGAIN_MS)
    else if (answer.what === 'early') await feeder.addLater(job.data, answer.atMs)
    else if (answer.what === 'delivered') await onDelivered(answer.batch)
    // Its lane may have released the batch while this job was still there.
    await feeder.feedSurely(lane)
    return undefined
  }

  /** Undefined where the batch is open and can't be sealed. */
  async #ask(
    lane: Lane,
    place: JobPlace,
    token: string,
    job: BatchJob,
  ): Promise<ClaimAnswer | undefined> {
    const { laneQueue, logger, sealUnsealed } = this.#options
    const { batchId } = job.data
    const answer = await laneQueue.claim(lane, { batchId, token, place })
    if (answer.what !== 'unknown') return answer
    try {
      await sealUnsealed(lane.streamId, lane.lane, batchId)
    } catch (error) {
      logger.warn({ batchId, error }, 'Cannot seal a batch whose time is over. It is tried again.')
      return undefined
    }
    return await laneQueue.claim(lane, { batchId, token, place })
  }
}
