/**
 * The jobs that BullMQ carries from whoever knows of a batch to whoever has time for it: the job's id is
 * the batch's, its name the stream's. A job is a hint, and no more: which batch may be worked on is the
 * lane's to say (scripts/claim.lua). So a job too many does no harm, and one that is missing is made again
 * by the reconciler.
 *
 * `deliveries` has the jobs of lanes in good health and those that wait for the age of open batches;
 * `probes` those of suspects and of batches that failed. Jobs of batches that were delivered stay, a
 * thousand of each queue, and those of parked batches, to be looked at; what is dropped leaves nothing, for
 * a job that exists would swallow a later one of its batch.
 */
import { createRedisBackend, Queue, UnrecoverableError, Worker } from 'bullmq'
import type { Job } from 'bullmq'
import type { RedisPlace } from '../../backend.ts'
import type { Logger } from '../../base/logger.ts'
import type { BatchId } from '../../batch.ts'
import type { Failure } from '../../delivery-queue.ts'
import { connect, disconnect } from '../connection.ts'
import type { Keys } from '../keys.ts'
import type { RedisClient } from '../scripts.ts'

export const JOB_PLACES = ['deliveries', 'probes'] as const
export type JobPlace = (typeof JOB_PLACES)[number]

export interface JobFacts {
  readonly streamId: string
  readonly lane: number
  readonly batchId: BatchId
  /** 0 for a batch that is still open. */
  readonly recordCount: number
  readonly dataBytes: number
}

/** Alive: a worker has it or will get it. Dead: it is there, and nobody will get it. */
export type JobState = 'alive' | 'dead' | 'missing'

export type BatchJob = Job<JobFacts, unknown>

export interface JobsOptions {
  readonly place: RedisPlace
  readonly keys: Keys
  /** False: this process only adds jobs. */
  readonly takesJobs: boolean
  readonly lockMs: number
  readonly stalledMs: number
  readonly logger: Logger
}

const COMPLETED_MAX = 1_000
const EVENTS_MAX = 1_000

export class Jobs {
  readonly #client: RedisClient
  readonly #queues: ReadonlyMap<JobPlace, Queue<JobFacts, unknown>>
  readonly #workers: ReadonlyMap<JobPlace, Worker<JobFacts, unknown>>
  readonly #lockMs: number

  constructor({ place, keys, takesJobs, lockMs, stalledMs, logger }: JobsOptions) {
    this.#lockMs = lockMs
    this.#client = connect({ place, name: 'jobs', logger })
    const shared = {
      connection: this.#client,
      prefix: keys.queuePrefix,
      // Asked for once at start, and a connection that broke just then would be broken for good.
      skipVersionCheck: true,
    }
    const report = (error: Error): void => logger.debug({ error }, 'A queue of BullMQ has failed.')
    const queues = JOB_PLACES.map((name) => {
      const queue = new Queue<JobFacts, unknown>(name, {
        ...shared,
        streams: { events: { maxLen: EVENTS_MAX } },
      })
      return [name, queue.on('error', report)] as const
    })
    this.#queues = new Map(queues)
    const workers = (takesJobs ? JOB_PLACES : []).map((name) => {
      const options = {
        ...shared,
        autorun: false,
        lockDuration: lockMs,
        stalledInterval: stalledMs,
        maxStalledCount: Number.MAX_SAFE_INTEGER,
      }
      // Jobs are asked for, never waited for; so there is no connection that blocks.
      const worker = new Worker<JobFacts, unknown>(name, null, options, (...[name, options]) =>
        createRedisBackend(name, options),
      )
      return [name, worker.on('error', report)] as const
    })
    this.#workers = new Map(workers)
  }

  /** Takes the first job there is; it is locked under `token`. */
  async take(place: JobPlace, token: string): Promise<BatchJob | undefined> {
    return await this.#workers.get(place)?.getNextJob(token, { block: false })
  }

  /** Adds a job; does nothing where the batch has one there. */
  async add(place: JobPlace, facts: JobFacts, delayMs: number): Promise<void> {
    await this.#queue(place).add(facts.streamId, facts, {
      jobId: facts.batchId,
      delay: Math.max(Math.ceil(delayMs), 0),
      removeOnComplete: { count: COMPLETED_MAX },
    })
  }

  /** Adds a job in the place of those that the batch has, unless a worker has one in hand. */
  async replace(place: JobPlace, facts: JobFacts, delayMs: number): Promise<void> {
    await this.remove(facts.batchId)
    await this.add(place, facts, delayMs)
  }

  /** Removes what jobs a batch has, unless a worker has one in hand. */
  async remove(batchId: BatchId): Promise<void> {
    await Promise.all(JOB_PLACES.map((place) => this.#queue(place).remove(batchId)))
  }

  /** The batch of a job in hand is delivered. */
  async complete(job: BatchJob): Promise<void> {
    await endingLocked(() => job.moveToCompleted('delivered', job.token ?? '', false))
  }

  /** The batch of a job in hand is parked. */
  async fail(job: BatchJob, { errorCode, errorMessage }: Failure): Promise<void> {
    const error = new UnrecoverableError(`${errorCode}: ${errorMessage}`)
    await endingLocked(() => job.moveToFailed(error, job.token ?? '', false))
  }

  /** Removes a job in hand. */
  async drop(job: BatchJob): Promise<void> {
    job.opts.removeOnComplete = true
    await endingLocked(() => job.moveToCompleted('dropped', job.token ?? '', false))
  }

  /** Keeps jobs locked; the ids of those whose lock is lost. */
  async extendLocks(place: JobPlace, held: readonly BatchJob[]): Promise<readonly string[]> {
    const worker = this.#workers.get(place)
    if (worker === undefined || held.length === 0) return []
    const ids = held.map(({ id }) => id ?? '')
    const tokens = held.map(({ token }) => token ?? '')
    return await worker.extendJobLocks(ids, tokens, this.#lockMs)
  }

  /** Lets jobs whose workers have died be taken again; whether there were any. */
  async recoverStalled(): Promise<boolean> {
    const workers = [...this.#workers.values()]
    const found = await Promise.all(
      workers.map((worker) => worker.getBackend().moveStalledJobsToWait()),
    )
    return found.some((ids) => ids.length > 0)
  }

  /** How the job of each batch is. */
  async statesOf(place: JobPlace, batchIds: readonly BatchId[]): Promise<readonly JobState[]> {
    const queue = this.#queue(place)
    return await Promise.all(
      batchIds.map(async (batchId) => {
        const key = queue.toKey(batchId)
        const [timestamp, finishedOn] = await this.#client.hmget(key, 'timestamp', 'finishedOn')
        if (timestamp === null) return 'missing'
        if (finishedOn !== null) return 'dead'
        // Where a list of BullMQ's is lost, its jobs are there still.
        return (await queue.getJobState(batchId)) === 'unknown' ? 'dead' : 'alive'
      }),
    )
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.close(true)))
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()))
    disconnect(this.#client)
  }

  #queue(place: JobPlace): Queue<JobFacts, unknown> {
    const queue = this.#queues.get(place)
    if (queue === undefined) throw new Error(`Cannot use queue ${place}: there is none`)
    return queue
  }
}

/** BullMQ's codes of a job that is not there, is not locked, is not active, or another worker's. */
const NOT_HELD = new Set([-1, -2, -3, -6])

/** Ends a job in hand. One whose lock is lost is somebody else's to end. */
async function endingLocked(end: () => Promise<unknown>): Promise<void> {
  try {
    await end()
  } catch (error) {
    if (!NOT_HELD.has((error as { code?: number }).code ?? 0)) throw error
  }
}
