import type { Clock } from '../../base/clock.ts'
import type { BatchId, SealedBatch } from '../../batch.ts'
import type { Failure, QueuedBatch } from '../../delivery-queue.ts'
import { InsistentScripts } from '../insistent-scripts.ts'
import type { JobPlace } from './jobs.ts'
import type { Keys, LaneKeys } from '../keys.ts'
import type { Lane } from '../lanes.ts'
import type { ScriptArgument, ScriptRunner } from '../scripts.ts'

export interface LaneQueueOptions {
  readonly scripts: ScriptRunner
  readonly keys: Keys
  readonly clock: Clock
  readonly streamClaimsMax: number
}

/** What feed.lua says. */
export interface Fed {
  readonly suspect: boolean
  readonly next: NextBatch | undefined
}

/** The batch of a lane whose job waits for a worker. */
export interface NextBatch {
  readonly batchId: BatchId
  readonly place: JobPlace
  /** Not before; wall time. */
  readonly atMs: number
  /** Its job is to be added now. */
  readonly isNew: boolean
}

/** What claim.lua says. */
export type ClaimAnswer = { readonly suspect: boolean } & (
  | {
      readonly what: 'claimed'
      readonly batch: SealedBatch
      readonly attempt: number
      readonly failureCount: number
    }
  | { readonly what: 'delivered'; readonly batch: SealedBatch }
  | { readonly what: 'early'; readonly atMs: number }
  | { readonly what: 'unknown' | 'dropped' }
)

export interface ClaimRequest {
  readonly batchId: BatchId
  readonly token: string
  readonly place: JobPlace
}

export interface RetryTimes {
  readonly atMs: number
  readonly streamAtMs: number
  readonly brake: boolean
}

export type FoundBatch = Omit<QueuedBatch, 'nextAttemptMs'> & { readonly atMs: number | undefined }

const RESUMED_MAX = 1_000
const CALL_ID_BYTES = 12

/** The scripts of a lane's queue, in words. Times are wall time. */
export class LaneQueue {
  readonly #options: LaneQueueOptions
  readonly #scripts: ScriptRunner

  constructor(options: LaneQueueOptions) {
    this.#options = options
    this.#scripts = new InsistentScripts(options.scripts, options.clock)
  }

  async enqueue(batch: SealedBatch): Promise<boolean> {
    const { batchId, streamId, lane = 0, recordCount, dataBytes, firstArrivalMs } = batch
    const keys = this.#keys({ streamId, lane })
    const { heldBy: _heldBy, ...facts } = batch
    const entered = await this.#run(
      'enqueue',
      [
        keys.of('gone'),
        keys.of('receipts'),
        keys.of('queued'),
        keys.ofBatch('entry', batchId),
        keys.of('queue'),
        keys.of('due'),
      ],
      [batchId, JSON.stringify(facts), recordCount, dataBytes, firstArrivalMs],
    )
    return entered === 1
  }

  async feed(lane: Lane): Promise<Fed> {
    const { clock, streamClaimsMax } = this.#options
    const keys = this.#keys(lane)
    const [suspect, batchId, place, atMs, isNew] = (await this.#run(
      'feed',
      [keys.of('queue'), keys.of('due'), keys.of('inflight'), keys.of('lent')],
      [clock.nowMs(), streamClaimsMax, clock.randomBytes(CALL_ID_BYTES).toString('hex')],
    )) as [number, BatchId, JobPlace, string, number]
    const next = { batchId, place, atMs: Number(atMs), isNew: isNew === 1 }
    return { suspect: suspect === 1, next: batchId === '' ? undefined : next }
  }

  async claim(lane: Lane, { batchId, token, place }: ClaimRequest): Promise<ClaimAnswer> {
    const { clock, streamClaimsMax } = this.#options
    const keys = this.#keys(lane)
    const [what, isSuspect, first, attempt, failureCount] = (await this.#run(
      'claim',
      [
        keys.of('queue'),
        keys.of('queued'),
        keys.of('due'),
        keys.of('later'),
        keys.of('inflight'),
        keys.of('lent'),
        keys.of('parked'),
        keys.of('receipts'),
        keys.ofBatch('entry', batchId),
      ],
      [batchId, token, place, clock.nowMs(), streamClaimsMax],
    )) as [ClaimAnswer['what'], number, string, number, number]
    const suspect = isSuspect === 1
    if (what === 'claimed') {
      return { what, suspect, batch: JSON.parse(first) as SealedBatch, attempt, failureCount }
    }
    if (what === 'delivered') return { what, suspect, batch: JSON.parse(first) as SealedBatch }
    return what === 'early' ? { what, suspect, atMs: Number(first) } : { what, suspect }
  }

  /** Of a claim, as are the next four; false where it is lost or has ended. */
  complete(batch: SealedBatch, token: string): Promise<boolean> {
    const keys = this.#keysOf(batch)
    return this.#end(
      'complete',
      [
        keys.of('queue'),
        keys.of('queued'),
        keys.of('later'),
        keys.of('inflight'),
        keys.of('lent'),
        keys.of('parked'),
        keys.ofBatch('entry', batch.batchId),
      ],
      [batch.batchId, token],
    )
  }

  retry(
    batch: SealedBatch,
    token: string,
    failure: Failure,
    { atMs, streamAtMs, brake }: RetryTimes,
  ): Promise<boolean> {
    const keys = this.#keysOf(batch)
    return this.#end(
      'retry',
      [
        keys.of('queue'),
        keys.of('later'),
        keys.of('inflight'),
        keys.of('lent'),
        keys.ofBatch('entry', batch.batchId),
      ],
      [batch.batchId, token, JSON.stringify(failure), atMs, streamAtMs, brake ? 1 : 0],
    )
  }

  park(batch: SealedBatch, token: string, failure: Failure): Promise<boolean> {
    const keys = this.#keysOf(batch)
    return this.#end(
      'park',
      [
        keys.of('queue'),
        keys.of('inflight'),
        keys.of('lent'),
        keys.of('parked'),
        keys.ofBatch('entry', batch.batchId),
      ],
      [batch.batchId, token, JSON.stringify(failure)],
    )
  }

  release(batch: SealedBatch, token: string): Promise<boolean> {
    const keys = this.#keysOf(batch)
    return this.#end(
      'release',
      [
        keys.of('queue'),
        keys.of('due'),
        keys.of('inflight'),
        keys.of('lent'),
        keys.ofBatch('entry', batch.batchId),
      ],
      [batch.batchId, token],
    )
  }

  lend(batch: SealedBatch, token: string): Promise<boolean> {
    const keys = this.#keysOf(batch)
    return this.#end('lend', [keys.of('inflight'), keys.of('lent')], [batch.batchId, token])
  }

  async resume(lane: Lane): Promise<void> {
    const keys = this.#keys(lane)
    const names = [keys.of('queue'), keys.of('due'), keys.of('later'), keys.of('parked')]
    for (let count = RESUMED_MAX; count === RESUMED_MAX;) {
      count = Number(await this.#run('resume', names, [RESUMED_MAX]))
    }
  }

  /** Forgets the lane, step by step: each time with some of the batches that it still has. */
  async discard(lane: Lane, batchIds: readonly BatchId[]): Promise<void> {
    const keys = this.#keys(lane)
    const names = [
      keys.of('queue'),
      keys.of('due'),
      keys.of('later'),
      keys.of('inflight'),
      keys.of('lent'),
      keys.of('parked'),
      keys.of('queued'),
    ]
    const entries = batchIds.map((batchId) => keys.ofBatch('entry', batchId))
    await this.#run('discard-queue', [...names, ...entries], batchIds)
  }

  async find(lane: Lane, batchId: BatchId): Promise<FoundBatch | undefined> {
    const keys = this.#keys(lane)
    const found = (await this.#run(
      'find-queued',
      [
        keys.of('queue'),
        keys.of('later'),
        keys.of('inflight'),
        keys.of('parked'),
        keys.ofBatch('entry', batchId),
      ],
      [batchId],
    )) as [] | [string, QueuedBatch['state'], number, string, string]
    if (found.length === 0) return undefined
    const [facts, state, attempt, atMs, lastFailure] = found
    return {
      batch: JSON.parse(facts) as SealedBatch,
      state,
      attempt,
      atMs: atMs === '' ? undefined : Number(atMs),
      lastFailure: failureOf(lastFailure),
    }
  }

  async #end(name: string, keys: readonly string[], args: readonly ScriptArgument[]) {
    return (await this.#run(name, keys, args)) === 1
  }

  #run(name: string, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown> {
    return this.#scripts.run(name, keys, args)
  }

  #keysOf({ streamId, lane = 0 }: SealedBatch): LaneKeys {
    return this.#keys({ streamId, lane })
  }

  #keys({ streamId, lane }: Lane): LaneKeys {
    return this.#options.keys.lane(streamId, lane)
  }
}

function failureOf(json: string): Failure | undefined {
  return json === '' ? undefined : (JSON.parse(json) as Failure)
}
