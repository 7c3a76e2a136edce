import type { ObjectReader, ObjectStore } from '../object-store.ts'
import { ReplayRefused } from '../replay.ts'
import type { ReplayRequest, Replays, ReplayStatus } from '../replay.ts'
import { ReplayJob } from './replay-job.ts'
import type { ReplayJobOptions } from './replay-job.ts'

/** Each holds some ten MiB of records at most. */
const RUNNING_MAX = 4
/** Jobs that are remembered, running ones among them. */
const JOBS_MAX = 100

/** A store of objects that is opened for replays, and closed with them. */
type ReplayStore = ObjectReader & Pick<ObjectStore, 'close'>

export interface LocalReplaysOptions extends Omit<ReplayJobOptions, 'openReader'> {
  /** Called when the first replay begins. */
  readonly openStore: () => Promise<ReplayStore>
}

/** The replays of this process. */
export class LocalReplays implements Replays {
  readonly #options: ReplayJobOptions
  /** By id, oldest first. */
  readonly #jobs = new Map<string, ReplayJob>()
  #store: Promise<ReplayStore> | undefined
  #closed = false

  constructor({ openStore, ...options }: LocalReplaysOptions) {
    this.#options = { ...options, openReader: () => (this.#store ??= openStore()) }
  }

  start(request: ReplayRequest): ReplayStatus {
    const running = [...this.#jobs.values()].filter(({ isRunning }) => isRunning)
    // Two into one stream could not tell what the other is about to do.
    const rival = running.find(({ targetId }) => targetId === request.target.streamId)
    if (rival !== undefined) {
      const message = `Cannot begin: replay ${rival.replayId} is running into ${request.target.name}`
      throw new ReplayRefused('busy', message)
    }
    if (this.#closed || running.length >= RUNNING_MAX) {
      throw new ReplayRefused('busy', `Cannot begin: ${running.length} replays are running`)
    }
    const replayId = this.#options.clock.randomBytes(8).toString('hex')
    const job = new ReplayJob(replayId, request, this.#options)
    this.#jobs.set(replayId, job)
    this.#forgetOldest()
    return job.status()
  }

  list(streamName: string): readonly ReplayStatus[] {
    const jobs = [...this.#jobs.values()].filter((job) => job.streamName === streamName)
    return jobs.map((job) => job.status()).toReversed()
  }

  find(streamName: string, replayId: string): ReplayStatus | undefined {
    const job = this.#jobs.get(replayId)
    return job?.streamName === streamName ? job.status() : undefined
  }

  async cancel(replayId: string): Promise<void> {
    await this.#jobs.get(replayId)?.cancel()
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#jobs.values()].map((job) => job.cancel()))
    const store = await this.#store?.catch(() => undefined)
    this.#store = undefined
    await store?.close()
  }

  #forgetOldest(): void {
    for (const [replayId, job] of this.#jobs) {
      if (this.#jobs.size <= JOBS_MAX) return
      if (!job.isRunning) this.#jobs.delete(replayId)
    }
  }
}
