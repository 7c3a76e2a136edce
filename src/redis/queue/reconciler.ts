/**
 * What processes leave undone when they die between two steps, and what Redis forgets when it fails over:
 *
 *   the batch whose job waits, or one that is to be tried later, has no job   it gets one
 *   a batch is in flight, and its job is gone                                 it gets one, which ends the claim
 *   a lane could have one more in flight, and nobody has fed it               it is fed
 *   a batch is sealed and neither queued nor delivered                        it is enqueued
 *   a batch has a receipt and was not removed                                 whoever removes it is told
 *
 * One process at a time does it, over all lanes, page by page.
 */
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { BatchId, SealedBatch } from '../../batch.ts'
import type { JobPlace, Jobs } from './jobs.ts'
import type { Keys, LaneKeys } from '../keys.ts'
import type { LaneFeeder } from './lane-feeder.ts'
import type { LaneQueue } from './lane-queue.ts'
import type { Lane, Lanes } from '../lanes.ts'
import type { RedisClient, ScriptRunner } from '../scripts.ts'

export interface ReconcilerOptions {
  readonly client: RedisClient
  readonly scripts: ScriptRunner
  readonly keys: Keys
  readonly lanes: Lanes
  readonly clock: Clock
  readonly logger: Logger
  readonly jobs: Jobs
  readonly laneQueue: LaneQueue
  readonly feeder: LaneFeeder
  readonly onDelivered: (batch: SealedBatch) => Promise<void>
}

/** A pass that takes longer, or whose process dies, is in nobody's way after this. */
const LOCK_MS = 60_000
const PAGE = 500
const TOKEN_BYTES = 12

export class Reconciler {
  readonly #options: ReconcilerOptions
  readonly #lock: string

  constructor(options: ReconcilerOptions) {
    this.#options = options
    this.#lock = `${options.keys.queuePrefix}:reconciling`
  }

  /** One pass, if no process has begun one for so long. */
  async runInTurn(everyMs: number): Promise<void> {
    const turn = `${this.#lock}:turn`
    const isOurs = await this.#options.client.set(turn, '', 'PX', Math.ceil(everyMs / 2), 'NX')
    if (isOurs !== null) await this.run()
  }

  /** One pass; none where another process is at it. */
  async run(): Promise<void> {
    const { client, scripts, clock, lanes } = this.#options
    const token = clock.randomBytes(TOKEN_BYTES).toString('hex')
    if ((await client.set(this.#lock, token, 'PX', LOCK_MS, 'NX')) === null) return
    try {
      for (const lane of await lanes.all()) await this.#reconcile(lane)
    } finally {
      await scripts.run('unlock', [this.#lock], [token])
    }
  }

  async #reconcile(lane: Lane): Promise<void> {
    const { feeder, keys, logger } = this.#options
    const laneKeys = keys.lane(lane.streamId, lane.lane)
    try {
      await this.#enqueueForgotten(laneKeys)
      await this.#mendLater(lane, laneKeys)
      await this.#mendInFlight(lane, laneKeys)
      await feeder.feedSurely(lane)
    } catch (error) {
      logger.warn({ ...lane, error }, 'Cannot mend the queue of a stream. It is tried again.')
    }
  }

  /** A batch is sealed and queued in one step, and leaves the queue before it is removed. */
  async #enqueueForgotten(keys: LaneKeys): Promise<void> {
    const { client } = this.#options
    const [sealed, queued] = [keys.of('sealed'), keys.of('queued')]
    const [sealedCount, queuedCount] = await Promise.all([
      client.zcard(sealed),
      client.zcard(queued),
    ])
    if (sealedCount === queuedCount) return
    for (let at = 0; ; at += PAGE) {
      const batchIds = await client.zrange(sealed, at, String(at + PAGE - 1))
      if (batchIds.length === 0) return
      const scores = await client.zmscore(queued, ...batchIds)
      for (const batchId of batchIds.filter((_, index) => scores[index] === null)) {
        await this.#enqueueOne(keys, batchId)
      }
    }
  }

  async #enqueueOne(keys: LaneKeys, batchId: BatchId): Promise<void> {
    const { client, laneQueue, logger, onDelivered } = this.#options
    const facts = await client.hget(keys.ofBatch('batch', batchId), 'facts')
    if (facts === null) return
    const batch = JSON.parse(facts) as SealedBatch
    if ((await client.hexists(keys.of('receipts'), batchId)) === 1) {
      await onDelivered(batch)
    } else if (await laneQueue.enqueue(batch)) {
      logger.warn({ batchId, streamId: batch.streamId }, 'A sealed batch was not in the queue.')
    }
  }

  async #mendLater(lane: Lane, keys: LaneKeys): Promise<void> {
    const { client, feeder } = this.#options
    for (let at = 0; ; at += PAGE) {
      const end = String(at + PAGE - 1)
      const found = await client.zrange(keys.of('later'), at, end, 'WITHSCORES')
      const times = new Map(pairsOf(found).map(([batchId, atMs]) => [batchId, Number(atMs)]))
      if (times.size === 0) return
      for (const batchId of await this.#withoutJob('probes', [...times.keys()])) {
        await this.#options.jobs.remove(batchId)
        await feeder.addLater(await feeder.factsOf(lane, batchId), times.get(batchId) ?? 0)
      }
    }
  }

  /** The job is made anew where the batch was claimed: whoever gets it there knows that the claim is lost. */
  async #mendInFlight(lane: Lane, keys: LaneKeys): Promise<void> {
    const { client, feeder, jobs, logger } = this.#options
    let cursor = '0'
    do {
      const [next, found] = await client.hscan(keys.of('inflight'), cursor, 'COUNT', PAGE)
      cursor = next
      for (const [batchId, token] of pairsOf(found)) {
        const place = await client.hget(keys.ofBatch('entry', batchId), 'heldIn')
        if (place === null) continue
        const [lost] = await this.#withoutJob(place as JobPlace, [batchId])
        if (lost === undefined) continue
        // Most often the claim has ended meanwhile, and its job with it.
        if ((await client.hget(keys.of('inflight'), batchId)) !== token) continue
        logger.warn({ batchId, ...lane }, 'The job of a batch in flight is gone; it is made anew.')
        await jobs.replace(place as JobPlace, await feeder.factsOf(lane, batchId), 0)
      }
    } while (cursor !== '0')
  }

  async #withoutJob(place: JobPlace, batchIds: readonly BatchId[]): Promise<readonly BatchId[]> {
    const states = await this.#options.jobs.statesOf(place, batchIds)
    return batchIds.filter((_, index) => states[index] !== 'alive')
  }
}

function pairsOf(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [
    flat[2 * index] ?? '',
    flat[2 * index + 1] ?? '',
  ])
}
