/**
 * The DeliveryQueue of many processes on one Redis.
 *
 * Which batch may be worked on is decided lane by lane (keys.ts, scripts/): what is due, what failed, how
 * many are in flight. A lane has one batch at a time that waits for a worker, and only for that one
 * there is a job; so the jobs, first in, first out, are the lanes' round robin, however much each has, and a
 * dead destination holds nothing but its probe.
 *
 *   enqueue ▸ feed: the lane's next batch gets a job ▸ take the job ▸ claim: it is the lane's turn ▸ feed ▸ …
 *
 * A claim is held by a token, in the lane and as the lock of its job. A process that dies loses the lock;
 * the job is taken by another, which claims the batch under a token of its own, and what the first one may
 * still say changes nothing. What a process leaves undone between two of these steps, the reconciler does.
 */
import type { RedisPlace } from '../../backend.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { BatchId, SealedBatch } from '../../batch.ts'
import type {
  Claim,
  DeliveryQueue,
  Failure,
  QueuedBatch,
  Retry,
  StreamQueueStatus,
} from '../../delivery-queue.ts'
import { findInLanes, forLanes } from '../for-lanes.ts'
import { insist } from '../insist.ts'
import { HeldClaims } from './held-claims.ts'
import type { HeldClaim } from './held-claims.ts'
import { JobTaker } from './job-taker.ts'
import { Jobs } from './jobs.ts'
import type { Keys } from '../keys.ts'
import { LaneFeeder } from './lane-feeder.ts'
import { LaneQueue } from './lane-queue.ts'
import { laneStatus } from '../catalog/lane-status.ts'
import { possibleLanes } from '../lanes.ts'
import type { Lane, Lanes } from '../lanes.ts'
import { sumOfLanes } from './queue-status.ts'
import { Reconciler } from './reconciler.ts'
import { pauseStream } from './pause-stream.ts'
import { QueueUpkeep } from './queue-upkeep.ts'
import { ReleaseNews } from './release-news.ts'
import type { RedisClient, ScriptRunner } from '../scripts.ts'
import { WaitingClaims } from './waiting-claims.ts'

export interface RedisQueueOptions {
  readonly place: RedisPlace
  readonly client: RedisClient
  readonly scripts: ScriptRunner
  readonly keys: Keys
  readonly lanes: Lanes
  readonly clock: Clock
  readonly logger: Logger
  /** Claims in flight of this process that are not lent; 0: it only enqueues. */
  readonly claimsMax: number
  /** Claims in flight of one lane, all processes together. */
  readonly streamClaimsMax: number
  /** A claim whose process is not heard of for so long may be somebody else's. */
  readonly lockMs?: number
  /** Claims whose process is not heard of are looked for this often. */
  readonly stalledMs?: number
  /** Seals a batch whose age is over, if it is still open. */
  readonly sealUnsealed: (streamId: string, lane: number, batchId: BatchId) => Promise<void>
  /** Removes a batch that was found to have a receipt: whoever delivered it didn't live to. */
  readonly onDelivered: (batch: SealedBatch) => Promise<void>
}

const LOCK_MS = 10_000
const STALLED_MS = 3_000
/** Whoever opened a batch seals it when it is due; others step in after this. */
const EXPECTED_LATE_MS = 1_000
const DISCARD_PAGE = 500
/** For a batch that is being claimed while the queue closes to be given back. */
const CLOSE_MS = 2_000

export class RedisQueue implements DeliveryQueue {
  readonly #options: RedisQueueOptions
  readonly #jobs: Jobs
  readonly #laneQueue: LaneQueue
  readonly #claims: HeldClaims
  readonly #news: ReleaseNews
  readonly #feeder: LaneFeeder
  readonly #waiting: WaitingClaims
  readonly #reconciler: Reconciler
  readonly #upkeep: QueueUpkeep

  constructor(options: RedisQueueOptions) {
    this.#options = options
    const { clock, logger, claimsMax, lockMs = LOCK_MS, stalledMs = STALLED_MS } = options
    const takesJobs = claimsMax > 0
    this.#jobs = new Jobs({ ...options, takesJobs, lockMs, stalledMs })
    this.#laneQueue = new LaneQueue(options)
    this.#claims = new HeldClaims(claimsMax)
    this.#feeder = new LaneFeeder({
      ...options,
      jobs: this.#jobs,
      laneQueue: this.#laneQueue,
      claims: this.#claims,
      onReleased: (delayMs) => this.#released(delayMs),
    })
    const taker = new JobTaker({
      ...options,
      jobs: this.#jobs,
      laneQueue: this.#laneQueue,
      claims: this.#claims,
      feeder: this.#feeder,
    })
    this.#waiting = new WaitingClaims({
      clock,
      logger,
      take: () => taker.take(),
      giveBack: (claim) => this.release(claim),
    })
    this.#news = new ReleaseNews({
      ...options,
      listens: takesJobs,
      onNews: () => this.#waiting.wake(),
    })
    this.#reconciler = new Reconciler({
      ...options,
      jobs: this.#jobs,
      laneQueue: this.#laneQueue,
      feeder: this.#feeder,
    })
    this.#upkeep = new QueueUpkeep({
      clock,
      logger,
      takesJobs,
      lockMs,
      stalledMs,
      jobs: this.#jobs,
      claims: this.#claims,
      reconciler: this.#reconciler,
      onFreed: () => this.#released(0),
    })
  }

  async enqueue(batch: SealedBatch): Promise<void> {
    const lane = laneOf(batch)
    await this.#options.lanes.enter(lane.streamId, lane.lane + 1)
    await this.#laneQueue.enqueue(batch)
    await this.#feeder.feed(lane)
  }

  /** Sees to it that a batch that was just opened is sealed, also when this process ends before. */
  async expect(
    { streamId, lane, batchId }: Lane & { readonly batchId: BatchId },
    dueInMs: number,
  ): Promise<void> {
    const facts = { streamId, lane, batchId, recordCount: 0, dataBytes: 0 }
    try {
      await this.#jobs.add('deliveries', facts, dueInMs + EXPECTED_LATE_MS)
    } catch (error) {
      const fields = { streamId, lane, batchId, error }
      this.#options.logger.warn(fields, 'Cannot add the job of an open batch. It will be mended.')
    }
  }

  /** Gives a job to the lane's next batch; to be called after each batch that was sealed. */
  feed(streamId: string, lane: number): Promise<void> {
    return this.#feeder.feed({ streamId, lane })
  }

  claim(signal: AbortSignal): Promise<Claim | undefined> {
    return this.#waiting.claim(signal)
  }

  complete(claim: Claim): Promise<void> {
    const { batch, token } = claim
    return this.#end(
      claim,
      () => this.#laneQueue.complete(batch, token),
      ({ job }) => this.#jobs.complete(job),
    )
  }

  async retry(claim: Claim, retry: Retry): Promise<void> {
    const { batch, token } = claim
    const { afterMs, streamAfterMs, brake, errorCode, errorMessage } = retry
    const nowMs = Math.floor(this.#options.clock.nowMs())
    const times = {
      atMs: nowMs + Math.ceil(afterMs),
      streamAtMs: nowMs + Math.ceil(streamAfterMs),
      brake,
    }
    await this.#end(
      claim,
      () => this.#laneQueue.retry(batch, token, { errorCode, errorMessage }, times),
      async ({ job }) => {
        await this.#jobs.drop(job)
        await this.#feeder.addLater(job.data, times.atMs)
      },
    )
  }

  park(claim: Claim, { errorCode, errorMessage }: Failure): Promise<void> {
    const { batch, token } = claim
    const failure = { errorCode, errorMessage }
    return this.#end(
      claim,
      () => this.#laneQueue.park(batch, token, failure),
      ({ job }) => this.#jobs.fail(job, failure),
    )
  }

  release(claim: Claim): Promise<void> {
    const { batch, token } = claim
    return this.#end(
      claim,
      () => this.#laneQueue.release(batch, token),
      ({ job }) => this.#jobs.drop(job),
    )
  }

  async lend({ batch, token }: Claim): Promise<void> {
    const held = this.#claims.get(token)
    if (held === undefined || held.lent) return
    if (!(await this.#attempt(batch, () => this.#laneQueue.lend(batch, token)))) return
    held.lent = true
    await this.#feeder.feed(laneOf(batch))
    this.#waiting.wake()
  }

  pause(streamId: string): Promise<void> {
    return pauseStream(this.#options, streamId)
  }

  async resume(streamId: string): Promise<void> {
    await Promise.all(
      possibleLanes(streamId).map(async (lane) => {
        await this.#laneQueue.resume(lane)
        await this.#feeder.feed(lane)
      }),
    )
  }

  async discard(streamId: string): Promise<void> {
    for (const lane of possibleLanes(streamId)) await this.#discardLane(lane)
    for (const { token, job } of this.#claims.of(streamId)) {
      this.#claims.remove(token)
      await this.#quietly(job.data, () => this.#jobs.drop(job))
    }
    this.#waiting.wake()
  }

  async status(streamId: string): Promise<StreamQueueStatus> {
    const { lanes, scripts, keys } = this.#options
    const all = await forLanes(await lanes.of(streamId), (lane) => laneStatus(scripts, keys, lane))
    return sumOfLanes(all.map(({ queue }) => queue))
  }

  async find(batchId: BatchId): Promise<QueuedBatch | undefined> {
    const { lanes, clock } = this.#options
    const all = await lanes.all()
    const queued = await findInLanes(all, (lane) => this.#laneQueue.find(lane, batchId))
    if (queued === undefined) return undefined
    const { atMs, ...facts } = queued
    const nextAttemptMs =
      atMs === undefined ? undefined : atMs - clock.nowMs() + clock.monotonicMs()
    return { ...facts, nextAttemptMs }
  }

  /** Mends what processes that died have left between two steps, in all lanes. */
  reconcile(): Promise<void> {
    return this.#reconciler.run()
  }

  /** Keeps claims alive, finds those of the dead, and mends, until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#upkeep.run(signal)
  }

  /** Claims in hand are not given back: they are found when their locks have run out. */
  async close(): Promise<void> {
    this.#news.close()
    const done = new AbortController()
    const served = this.#waiting.close().finally(() => done.abort())
    // What waits for a Redis that can't be reached is not waited for.
    await Promise.race([served, this.#options.clock.sleep(CLOSE_MS, done.signal)])
    await this.#jobs.close()
  }

  /** Ends a claim: in its lane, then its job; then its lane may have another. */
  async #end(
    { token, batch }: Claim,
    inLane: () => Promise<boolean>,
    ofJob: (held: HeldClaim) => Promise<void>,
  ): Promise<void> {
    const held = this.#claims.get(token)
    const ended = await this.#attempt(batch, inLane)
    this.#claims.remove(token)
    if (ended === undefined) return this.#waiting.wake()
    if (held !== undefined) {
      await this.#quietly(batch, () => (ended ? ofJob(held) : this.#jobs.drop(held.job)))
    }
    await this.#feeder.feed(laneOf(batch))
    this.#waiting.wake()
  }

  /** Where Redis can't be reached for long, the claim is lost anyway; undefined then. */
  async #attempt(batch: SealedBatch, inLane: () => Promise<boolean>): Promise<boolean | undefined> {
    try {
      return await inLane()
    } catch (error) {
      const fields = { batchId: batch.batchId, streamId: batch.streamId, error }
      this.#options.logger.warn(
        fields,
        'Cannot say what became of a claim. It will be claimed anew.',
      )
      return undefined
    }
  }

  /** Jobs follow what the lane says; what fails here is mended by the reconciler. */
  async #quietly({ batchId }: { readonly batchId: BatchId }, change: () => Promise<void>) {
    try {
      await change()
    } catch (error) {
      this.#options.logger.warn(
        { batchId, error },
        'Cannot change the job of a batch. It will be mended.',
      )
    }
  }

  #released(delayMs: number): void {
    if (delayMs > 0) {
      this.#waiting.wakeAfter(delayMs)
      return
    }
    this.#waiting.wake()
    this.#news.tell()
  }

  async #discardLane(lane: Lane): Promise<void> {
    const { client, keys } = this.#options
    const laneKeys = keys.lane(lane.streamId, lane.lane)
    const insisting = <Answer>(ask: () => Promise<Answer>) => insist(ask, this.#options)
    // Those that have a receipt are in flight still, and queued no more.
    let batchIds = await insisting(() => client.hkeys(laneKeys.of('inflight')))
    do {
      await this.#laneQueue.discard(lane, batchIds)
      await Promise.all(batchIds.map((batchId) => insisting(() => this.#jobs.remove(batchId))))
      batchIds = await insisting(() =>
        client.zrange(laneKeys.of('queued'), 0, String(DISCARD_PAGE - 1)),
      )
    } while (batchIds.length > 0)
  }
}

function laneOf({ streamId, lane = 0 }: SealedBatch): Lane {
  return { streamId, lane }
}
