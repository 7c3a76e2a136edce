import { backoffMs } from '../base/backoff.ts'
import type { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { AppendError } from '../batch-store.ts'
import type { BatchStore } from '../batch-store.ts'
import type { BatchIds } from '../batch.ts'
import type { Catalog } from '../catalog.ts'
import { DeliveryError } from '../destination.ts'
import type { ListedObject, ObjectReader } from '../object-store.ts'
import type { Intake } from '../pipeline/intake.ts'
import type { StreamRegistry } from '../pipeline/stream-registry.ts'
import type { ReplayRequest, ReplayStatus } from '../replay.ts'
import { BatchImport } from './batch-import.ts'
import { readRecords, UnreadableObject } from './object-records.ts'
import type { SourceRecord } from './object-records.ts'
import { ObjectReplay } from './object-replay.ts'
import type { ObjectCounts } from './object-replay.ts'
import { objectTimeMs, sourceOf } from './replay-source.ts'
import type { ReplaySource } from './replay-source.ts'

export interface ReplayJobOptions {
  readonly openReader: () => Promise<ObjectReader>
  readonly registry: StreamRegistry
  readonly intake: Intake
  readonly store: BatchStore
  readonly catalog: Catalog
  readonly batchIds: BatchIds
  readonly clock: Clock
  readonly logger: Logger
}

/** At an object, where the store of objects or our own disk fails. */
const ATTEMPTS_MAX = 8
const BACKOFF: Backoff = { firstMs: 200, maxMs: 10_000 }
/** One replay from its beginning to its end. */
export class ReplayJob {
  readonly replayId: string
  readonly finished: Promise<void>
  readonly #options: ReplayJobOptions
  readonly #request: ReplayRequest
  readonly #source: ReplaySource
  readonly #import: BatchImport
  readonly #startedAtMs: number
  readonly #cancelling = new AbortController()
  readonly #counts: ObjectCounts & { objectCount: number } = {
    objectCount: 0,
    readCount: 0,
    selectedCount: 0,
    replayedCount: 0,
    alreadyReplayedCount: 0,
  }
  #state: ReplayStatus['state'] = 'running'
  #endedAtMs: number | undefined
  #message: string | undefined
  /** Objects that could not be read; the others are replayed all the same. */
  #unreadableCount = 0
  #firstUnreadable: string | undefined
  #current: ObjectReplay | undefined

  /** @throws ReplayRefused when the stream keeps no such objects */
  constructor(replayId: string, request: ReplayRequest, options: ReplayJobOptions) {
    this.replayId = replayId
    this.#options = options
    this.#request = request
    this.#source = sourceOf(request)
    this.#import = new BatchImport({
      ...options,
      target: request.target,
      recordsPerSecond: request.recordsPerSecond,
      signal: this.#cancelling.signal,
      onWait: (reason) => {
        this.#message = reason
      },
    })
    this.#startedAtMs = options.clock.nowMs()
    this.finished = this.#run()
  }

  get isRunning(): boolean {
    return this.#state === 'running'
  }

  status(): ReplayStatus {
    const counts = { ...this.#counts }
    if (this.#current !== undefined) addCounts(counts, this.#current.counts)
    return {
      replayId: this.replayId,
      state: this.#state,
      request: this.#request,
      startedAtMs: this.#startedAtMs,
      endedAtMs: this.#endedAtMs,
      counts,
      message: this.#message,
    }
  }

  get streamName(): string {
    return this.#request.stream.name
  }

  get targetId(): string {
    return this.#request.target.streamId
  }

  async cancel(): Promise<void> {
    this.#cancelling.abort()
    await this.finished
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#options
    const { stream, target, dryRun } = this.#request
    const fields = { replayId: this.replayId, streamName: stream.name, target: target.name, dryRun }
    logger.info(fields, 'A replay begins.')
    try {
      await this.#replayObjects()
      this.#message = this.#unreadableMessage()
      this.#state = this.#message === undefined ? 'completed' : 'failed'
    } catch (error) {
      const isCancelled = this.#cancelling.signal.aborted
      this.#state = isCancelled ? 'cancelled' : 'failed'
      this.#message = isCancelled ? undefined : messageOf(error)
      if (!isCancelled) logger.error({ ...fields, error }, 'A replay has failed.')
    }
    const { counts } = this.status()
    this.#endedAtMs = clock.nowMs()
    logger.info({ ...fields, state: this.#state, ...counts }, 'A replay has ended.')
  }

  async #replayObjects(): Promise<void> {
    const { bucket, prefix } = this.#source
    const { signal } = this.#cancelling
    const reader = await this.#options.openReader()
    for await (const object of reader.list(bucket, prefix, signal)) {
      signal.throwIfAborted()
      if (this.#isMeant(object)) await this.#replayObject(reader, object)
    }
  }

  /** What is written since the replay began may be what it has replayed, failed once more. */
  #isMeant(object: ListedObject): boolean {
    if (object.lastModifiedMs > this.#startedAtMs || !this.#source.isMeant(object.key)) return false
    return this.#request.format !== 'records' || this.#isInTime(objectTimeMs(object))
  }

  async #replayObject(reader: ObjectReader, object: ListedObject): Promise<void> {
    const { catalog, batchIds, clock } = this.#options
    const { target, format, source, dryRun } = this.#request
    const { bucket } = this.#source
    const { key } = object
    const place = { bucket, key, format: format ?? (source === undefined ? 'error' : undefined) }
    const replay = new ObjectReplay({
      catalog,
      batchIds,
      clock,
      streamId: target.streamId,
      source: `${bucket}/${key}`,
      dryRun,
      isSelected: (record) => this.#isSelected(record, object),
      ...this.#import.limits(),
      read: () => readRecords(reader, place, this.#cancelling.signal),
      admit: () => this.#import.admit(),
      importBatch: async (batchId, chunks, recordCount) => {
        const isNew = await this.#import.import(batchId, chunks, recordCount)
        this.#message = undefined
        return isNew
      },
    })
    this.#current = replay
    try {
      await this.#persist(replay)
      this.#counts.objectCount += 1
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.#unreadableCount += 1
      this.#firstUnreadable ??= error.message
      this.#options.logger.error({ replayId: this.replayId, error }, 'An object is not replayed.')
    } finally {
      this.#message = undefined
      this.#current = undefined
      addCounts(this.#counts, replay.counts)
    }
  }

  #unreadableMessage(): string | undefined {
    if (this.#unreadableCount <= 1) return this.#firstUnreadable
    return `${this.#firstUnreadable}; and ${this.#unreadableCount - 1} more objects`
  }

  #isSelected({ error }: SourceRecord, object: ListedObject): boolean {
    const { errorCode } = this.#request
    if (error !== undefined) {
      const isMeant = errorCode === undefined || error.errorCode === errorCode
      return isMeant && this.#isInTime(error.arrivalMs ?? objectTimeMs(object))
    }
    if (errorCode !== undefined) {
      const name = `${this.#source.bucket}/${object.key}`
      throw new UnreadableObject(`Cannot select by error code in ${name}: it holds plain records`)
    }
    return this.#isInTime(objectTimeMs(object))
  }

  #isInTime(timeMs: number): boolean {
    const { fromMs = -Infinity, toMs = Infinity } = this.#request
    return timeMs >= fromMs && timeMs < toMs
  }

  /** Repeats what failed for a reason that may pass; what has come further has no failures behind it. */
  async #persist(replay: ObjectReplay): Promise<void> {
    const { clock, logger } = this.#options
    const { signal } = this.#cancelling
    let madeCount = 0
    for (let attempt = 1; ; attempt += 1) {
      try {
        await replay.run()
        return
      } catch (error) {
        if (replay.madeCount > madeCount) attempt = 1
        madeCount = replay.madeCount
        if (signal.aborted || attempt === ATTEMPTS_MAX || !mayPass(error)) throw error
        this.#message = messageOf(error)
        const fields = { replayId: this.replayId, attempt, error }
        logger.warn(fields, 'A replay has met a failure; it is tried again.')
        await clock.sleep(backoffMs(BACKOFF, attempt, clock), signal)
      }
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** No fault of the store's, and gone with this object. */
function isUnreadable(error: unknown): error is Error {
  if (error instanceof DeliveryError) return error.errorCode === 'S3.NoSuchKey'
  return error instanceof UnreadableObject
}

function mayPass(error: unknown): boolean {
  if (error instanceof DeliveryError) return error.retryable && !error.brake
  return error instanceof AppendError
}

function addCounts(sum: ObjectCounts, counts: ObjectCounts): void {
  sum.readCount += counts.readCount
  sum.selectedCount += counts.selectedCount
  sum.replayedCount += counts.replayedCount
  sum.alreadyReplayedCount += counts.alreadyReplayedCount
}
