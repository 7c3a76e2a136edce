import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { BatchId } from '../../batch.ts'
import type { HeldClaims } from './held-claims.ts'
import { insist } from '../insist.ts'
import type { JobFacts, Jobs } from './jobs.ts'
import type { Keys } from '../keys.ts'
import type { LaneQueue, NextBatch } from './lane-queue.ts'
import type { Lane } from '../lanes.ts'
import type { RedisClient } from '../scripts.ts'

export interface LaneFeederOptions {
  readonly client: RedisClient
  readonly keys: Keys
  readonly clock: Clock
  readonly logger: Logger
  readonly jobs: Jobs
  readonly laneQueue: LaneQueue
  readonly claims: HeldClaims
  /** A job can be taken after so long. */
  readonly onReleased: (delayMs: number) => void
}

/** Gives jobs to the batches whose turn it is. */
export class LaneFeeder {
  readonly #options: LaneFeederOptions

  constructor(options: LaneFeederOptions) {
    this.#options = options
  }

  /** Gives a job to the lane's next batch. What fails is done by the reconciler, later. */
  async feed(lane: Lane): Promise<void> {
    try {
      await this.#feed(lane, false)
    } catch (error) {
      this.#options.logger.warn(
        { ...lane, error },
        'Cannot release the next batch. It will be mended.',
      )
    }
  }

  /** The same, where the job of the lane's next batch may be missing. */
  async feedSurely(lane: Lane): Promise<void> {
    await this.#feed(lane, true)
  }

  /** Adds the job of a batch that failed, for its next attempt. */
  async addLater(facts: JobFacts, atMs: number): Promise<void> {
    const delayMs = Math.max(atMs - this.#options.clock.nowMs(), 0)
    await this.#options.jobs.add('probes', facts, delayMs)
    this.#options.onReleased(delayMs)
  }

  /** What a job says of a batch. */
  async factsOf({ streamId, lane }: Lane, batchId: BatchId): Promise<JobFacts> {
    const entry = this.#options.keys.lane(streamId, lane).ofBatch('entry', batchId)
    const counts = await this.#options.client.hmget(entry, 'recordCount', 'dataBytes')
    const [recordCount, dataBytes] = counts.map(Number)
    return { streamId, lane, batchId, recordCount: recordCount ?? 0, dataBytes: dataBytes ?? 0 }
  }

  async #feed(lane: Lane, surely: boolean): Promise<void> {
    const { laneQueue, claims } = this.#options
    const { suspect, next } = await laneQueue.feed(lane)
    claims.learn(lane, suspect)
    if (next !== undefined && (next.isNew || surely)) await this.#release(lane, next)
  }

  async #release(lane: Lane, { batchId, place, atMs, isNew }: NextBatch): Promise<void> {
    const { clock, jobs, onReleased } = this.#options
    const facts = await this.factsOf(lane, batchId)
    const delayMs = Math.max(atMs - clock.nowMs(), 0)
    const [state] = isNew ? [] : await jobs.statesOf(place, [batchId])
    if (state === 'alive') return
    const release = (): Promise<void> =>
      // One that somebody adds just now is not to be removed.
      state === 'missing' ? jobs.add(place, facts, delayMs) : jobs.replace(place, facts, delayMs)
    await insist(release, { clock })
    onReleased(delayMs)
  }
}
