/**
 * Batches that are made as a whole, from birth to seal (BatchStore.importBatch).
 *
 *   nothing ─chunks▶ chunks:<id>.<attempt> ─one script▶ a sealed batch
 *                       └─ a chunk, Redis or the room fails ─▶ nothing
 *
 * - What an attempt has put whose process died expires by itself.
 * - A stream's imports are all in its first lane: there a batch is found again however many lanes the
 *   stream has by then, and there the books of replays are.
 */
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { BatchId, Chunk, SealedBatch, SealReason } from '../../batch.ts'
import { AppendError } from '../../batch-store.ts'
import type { AppendTarget } from '../../batch-store.ts'
import { chunkDataBytes } from '../../chunk.ts'
import { appendFailure } from './append-failure.ts'
import { encodeFrame } from './chunk-frame.ts'
import { CompressionTrial } from './compression-trial.ts'
import { insist } from '../insist.ts'
import type { Keys } from '../keys.ts'
import type { ImportAttempt, ImportedFacts, ImportOutcome, LaneScripts } from './lane-scripts.ts'
import type { Lane, Lanes } from '../lanes.ts'
import type { MemoryRoom } from './memory-room.ts'
import type { RedisClient } from '../scripts.ts'

const INDEX_ENTRY_BYTES = 16

export interface BatchImporterOptions {
  readonly client: RedisClient
  readonly scripts: LaneScripts
  readonly keys: Keys
  readonly lanes: Lanes
  readonly room: MemoryRoom
  readonly clock: Clock
  readonly logger: Logger
  readonly onSealed: (batch: SealedBatch) => void
}

interface BatchImport {
  readonly target: AppendTarget
  readonly batchId: BatchId
  readonly chunks: AsyncIterable<Chunk>
  readonly reason: SealReason
}

interface Running {
  readonly streamId: string
  readonly finished: Promise<boolean>
  readonly stop: AbortController
}

export class BatchImporter {
  readonly #options: BatchImporterOptions
  readonly #running = new Map<BatchId, Running>()

  constructor(options: BatchImporterOptions) {
    this.#options = options
  }

  /** A second call for a batch joins the first. */
  import(batch: BatchImport): Promise<boolean> {
    const { batchId, target } = batch
    const running = this.#running.get(batchId)
    if (running !== undefined) return running.finished
    const stop = new AbortController()
    const finished = this.#import(batch, stop.signal).finally(() => this.#running.delete(batchId))
    this.#running.set(batchId, { streamId: target.streamId, finished, stop })
    return finished
  }

  /** Stops what is under way, of one stream or of all. */
  async discard(streamId?: string): Promise<void> {
    const meant = [...this.#running.values()].filter(
      (each) => streamId === undefined || each.streamId === streamId,
    )
    for (const { stop } of meant) stop.abort()
    await Promise.allSettled(meant.map(({ finished }) => finished))
  }

  async #import(wanted: BatchImport, stopped: AbortSignal): Promise<boolean> {
    const { lanes, clock } = this.#options
    const { batchId, target, reason } = wanted
    const lane = { streamId: target.streamId, lane: 0 }
    const attempt = { lane, batchId, name: clock.randomBytes(16).toString('hex') }
    let isMade = false
    try {
      await asAppend(insist(() => lanes.enter(target.streamId), { clock }))
      if (await asAppend(insist(() => this.#isKnown(lane, batchId), { clock }))) return false
      const facts = await this.#put(attempt, wanted, stopped)
      if (facts === undefined) return false
      isMade = this.#conclude(lane, await asAppend(this.#seal(attempt, facts, reason)))
      return isMade
    } finally {
      if (!isMade) await this.#giveUp(attempt)
    }
  }

  /** Whether the batch is in the store, or was. */
  async #isKnown({ streamId, lane }: Lane, batchId: BatchId): Promise<boolean> {
    const { client, keys } = this.#options
    const laneKeys = keys.lane(streamId, lane)
    const found = await Promise.all([
      client.exists(laneKeys.ofBatch('batch', batchId), laneKeys.ofBatch('entry', batchId)),
      client.hexists(laneKeys.of('receipts'), batchId),
    ])
    return found.some((count) => count > 0)
  }

  /** Undefined when there are no chunks. */
  async #put(
    attempt: ImportAttempt,
    { target, chunks }: BatchImport,
    stopped: AbortSignal,
  ): Promise<ImportedFacts | undefined> {
    const { clock, room, scripts } = this.#options
    const { dataKey } = target
    const key = dataKey === undefined ? {} : { dataKey: dataKey.plain }
    const trial = new CompressionTrial()
    let facts: ImportedFacts | undefined
    for await (const chunk of chunks) {
      if (stopped.aborted) throw failed('the store gives it up')
      await room.refresh()
      const refusal = room.refusal(chunk.payload.byteLength, 1, facts?.storedBytes)
      if (refusal !== undefined) throw refusal
      const frame = await encodeFrame(chunk, { clock, trial, ...key })
      room.send(frame.byteLength)
      const put = { chunksBefore: facts?.chunkCount ?? 0, frame, entry: indexEntry(chunk, frame) }
      if (!(await asAppend(scripts.putImported(attempt, put)))) throw lost()
      facts = withChunk(facts, chunk, frame, dataKey?.wrapped)
    }
    return facts
  }

  #seal(attempt: ImportAttempt, facts: ImportedFacts, reason: SealReason): Promise<ImportOutcome> {
    return this.#options.scripts.sealImported(attempt, facts, reason)
  }

  #conclude(lane: Lane, outcome: ImportOutcome): boolean {
    if (outcome.kind !== 'made') {
      if (outcome.kind === 'gone') throw failed('the stream is deleted')
      if (outcome.kind === 'lost') throw lost()
      return false
    }
    this.#options.room.note(lane, outcome.usage)
    this.#options.onSealed(outcome.batch)
    return true
  }

  async #giveUp(attempt: ImportAttempt): Promise<void> {
    const { client, logger, scripts } = this.#options
    try {
      await client.unlink(...scripts.attemptKeys(attempt))
    } catch (error) {
      logger.warn(
        { batchId: attempt.batchId, error },
        'What is left of an import is removed within an hour.',
      )
    }
  }
}

function indexEntry(chunk: Chunk, frame: Buffer): Buffer {
  const entry = Buffer.alloc(INDEX_ENTRY_BYTES)
  entry.writeUInt32LE(chunk.recordCount, 0)
  entry.writeUInt32LE(frame.byteLength, 4)
  entry.writeUInt32LE(chunkDataBytes(chunk), 8)
  return entry
}

function withChunk(
  facts: ImportedFacts | undefined,
  chunk: Chunk,
  frame: Buffer,
  wrappedDataKey: string | undefined,
): ImportedFacts {
  const { arrivalMs, recordCount } = chunk
  return {
    chunkCount: (facts?.chunkCount ?? 0) + 1,
    recordCount: (facts?.recordCount ?? 0) + recordCount,
    dataBytes: (facts?.dataBytes ?? 0) + chunkDataBytes(chunk),
    storedBytes: (facts?.storedBytes ?? 0) + frame.byteLength + INDEX_ENTRY_BYTES,
    firstArrivalMs: Math.min(facts?.firstArrivalMs ?? Infinity, arrivalMs),
    lastArrivalMs: Math.max(facts?.lastArrivalMs ?? -Infinity, arrivalMs),
    wrappedDataKey,
  }
}

async function asAppend<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer
  } catch (error) {
    throw appendFailure(error)
  }
}

function lost(): AppendError {
  return failed('Redis has lost its chunks')
}

function failed(why: string): AppendError {
  return new AppendError('failed', `Cannot import: ${why}`)
}
