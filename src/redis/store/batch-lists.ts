import { strict as assert } from 'node:assert'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { BatchIds } from '../../batch.ts'
import type { BatchId, Chunk, SealedBatch, SealReason } from '../../batch.ts'
import { AppendError } from '../../batch-store.ts'
import type {
  Appended,
  AppendTarget,
  BatchContents,
  BatchReading,
  BatchStore,
  OpenBatch,
  StoreUsage,
} from '../../batch-store.ts'
import type { PartitionPosition } from '../../chunk-origin.ts'
import type { Manifest, OrdinalRange } from '../../manifest.ts'
import type { StagedBatch, StagingWriter } from '../../staging.ts'
import { BatchImporter } from './batch-import.ts'
import { discardLane } from './discard-lane.ts'
import { forLanes } from '../for-lanes.ts'
import { insist } from '../insist.ts'
import type { Keys } from '../keys.ts'
import { LaneScripts } from './lane-scripts.ts'
import type { AppendAnswer } from './lane-scripts.ts'
import { possibleLanes } from '../lanes.ts'
import type { Lane, Lanes } from '../lanes.ts'
import { MemoryRoom } from './memory-room.ts'
import type { RoomLimits } from './memory-room.ts'
import { findOpen, isOpen } from './open-batches.ts'
import type { LaneOpenBatch } from './open-batches.ts'
import { OpenedBatches } from './opened-batches.ts'
import type { UnsealedBatch } from './opened-batches.ts'
import { PositionTable } from './position-table.ts'
import type { RedisClient, ScriptRunner } from '../scripts.ts'
import { sealedBatches } from './sealed-pages.ts'
import { StreamWriter } from './stream-writer.ts'

/** How often it is looked for batches whose process has died, and how much later than that one. */
const LOOK_FOR_OVERDUE_MS = 10_000
const OVERDUE_MS = 5_000
/** A batch that could not be sealed is tried again after this. */
const SEAL_AGAIN_MS = 1_000
/** What is known of a stream is forgotten when nothing was appended to it for so long. */
const WRITER_IDLE_MS = 60_000

export interface RedisBatchStoreOptions {
  readonly client: RedisClient
  readonly scripts: ScriptRunner
  /** Runs what has to be durable before an append or import resolves. */
  readonly durable: ScriptRunner
  readonly keys: Keys
  readonly lanes: Lanes
  readonly contents: BatchContents
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: RoomLimits
  /** Called once for each batch that this process has sealed. */
  readonly onSealed: (batch: SealedBatch) => void
  /** Called for each batch that this process has opened. */
  readonly onOpened: (batch: UnsealedBatch, dueInMs: number) => void
}

/**
 * The BatchStore on Redis (keys.ts says what lies where). What is open is open for all processes: any
 * may append to it and seal it, and one that stops leaves it open. Whoever opened a batch seals it when
 * it is due; if that process is dead, another does some seconds later.
 */
export class RedisBatchStore implements BatchStore {
  readonly #options: RedisBatchStoreOptions
  readonly #scripts: LaneScripts
  readonly #ids: BatchIds
  readonly #room: MemoryRoom
  readonly #importer: BatchImporter
  readonly #positions: PositionTable
  readonly #writers = new Map<string, StreamWriter>()
  readonly #opened = new OpenedBatches()
  /** Name of this process, unlike any other. */
  readonly #process: string
  #sequence = 0
  #lookedForOverdueAtMs: number
  #closed = false

  private constructor(options: RedisBatchStoreOptions) {
    const { clock } = options
    this.#options = options
    this.#scripts = new LaneScripts(options)
    this.#ids = new BatchIds(clock)
    this.#room = new MemoryRoom(options)
    this.#importer = new BatchImporter({
      ...options,
      scripts: this.#scripts,
      room: this.#room,
    })
    this.#positions = new PositionTable({ ...options, scripts: this.#scripts })
    this.#process = clock.randomBytes(12).toString('base64url')
    this.#lookedForOverdueAtMs = clock.monotonicMs()
  }

  static async open(options: RedisBatchStoreOptions): Promise<RedisBatchStore> {
    const store = new RedisBatchStore(options)
    await store.#room.refresh()
    return store
  }

  append(target: AppendTarget, chunk: Chunk): Promise<Appended> {
    assert(chunk.recordCount > 0, 'a chunk holds records')
    if (this.#closed) {
      return Promise.reject(new AppendError('failed', 'Cannot append: the store is closed'))
    }
    void this.#room.refresh()
    // Looked at again when it is its turn; but what is refused anyway need not be compressed.
    const refusal = this.#room.refusal(chunk.payload.byteLength, 0)
    if (refusal !== undefined) return Promise.reject(refusal)
    return this.#writer(target.streamId).append(target, chunk)
  }

  importBatch(
    target: AppendTarget,
    batchId: BatchId,
    chunks: AsyncIterable<Chunk>,
    reason: SealReason,
  ): Promise<boolean> {
    if (this.#closed) {
      return Promise.reject(new AppendError('failed', 'Cannot import: the store is closed'))
    }
    return this.#importer.import({ target, batchId, chunks, reason })
  }

  positions(streamId: string): Promise<readonly PartitionPosition[]> {
    return this.#positions.of(streamId)
  }

  restorePositions(streamId: string, positions: readonly PartitionPosition[]): Promise<void> {
    return this.#positions.restore(streamId, positions)
  }

  /** Seals what is open in any of the stream's lanes, whoever opened it. */
  async seal(streamId: string, reason: SealReason): Promise<void> {
    const seal = async (): Promise<void> => {
      await this.#sealOpen(await this.#lanesOf(streamId), reason)
    }
    const writer = this.#writers.get(streamId)
    await (writer === undefined ? seal() : writer.task(seal))
  }

  /** Also what other processes have opened. */
  async sealAll(reason: SealReason): Promise<void> {
    await Promise.all([...this.#writers.values()].map((writer) => writer.task(async () => {})))
    await this.#sealOpen(await this.#allLanes(), reason)
  }

  /** Seals a batch if it is still the open one. */
  async sealBatch(
    streamId: string,
    lane: number,
    batchId: BatchId,
    reason: SealReason,
  ): Promise<void> {
    const name = `${this.#process} ${this.#nextSequence()}`
    const sealed = await this.#scripts.seal({ streamId, lane }, batchId, reason, name)
    this.#forget({ streamId, lane, batchId })
    if (sealed !== undefined) this.#options.onSealed(sealed)
  }

  async sealDue(monotonicMs: number): Promise<void> {
    await this.#room.refresh()
    await Promise.all(this.#opened.due(monotonicMs).map((batch) => this.#trySeal(batch, 'age')))
    if (monotonicMs - this.#lookedForOverdueAtMs < LOOK_FOR_OVERDUE_MS) return
    this.#lookedForOverdueAtMs = this.#options.clock.monotonicMs()
    await this.#sealOverdue()
    this.#forgetIdle()
  }

  nextDueMs(): number | undefined {
    return this.#opened.nextDueMs()
  }

  /** The same on every node. */
  async openBatches(streamId: string): Promise<readonly OpenBatch[]> {
    const open = await this.#open(await this.#lanesOf(streamId))
    return open
      .map(({ batchId, recordCount, dataBytes, firstArrivalMs }) => ({
        batchId,
        state: 'open' as const,
        recordCount,
        dataBytes,
        firstArrivalMs,
      }))
      .toSorted((one, other) => one.firstArrivalMs - other.firstArrivalMs)
  }

  /** Oldest first within a lane. */
  async *list(): AsyncGenerator<SealedBatch> {
    const { client, keys } = this.#options
    for (const lane of await this.#allLanes()) yield* sealedBatches(client, keys, lane)
  }

  async remove({ streamId, lane = 0, batchId }: SealedBatch): Promise<void> {
    const usage = await this.#scripts.remove({ streamId, lane }, batchId)
    this.#room.note({ streamId, lane }, usage)
  }

  /** In every lane that there could be: those of a deleted stream may be forgotten already. */
  async discard(streamId: string): Promise<void> {
    await this.#writer(streamId).task(async () => {
      await this.#importer.discard(streamId)
      for (const lane of possibleLanes(streamId)) {
        await discardLane(lane, { ...this.#options, scripts: this.#scripts })
        this.#room.note(lane, { storedBytes: 0, batchCount: 0 })
      }
      this.#opened.deleteStream(streamId)
    })
  }

  usage(): StoreUsage {
    return this.#room.usage()
  }

  /** Lets all that was asked for come to its end; what is open stays open. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#importer.discard()
    await Promise.all([...this.#writers.values()].map((writer) => writer.task(async () => {})))
  }

  read(batch: SealedBatch, range?: OrdinalRange): BatchReading {
    return this.#options.contents.read(batch, range)
  }

  manifest(batch: SealedBatch): Promise<Manifest | undefined> {
    return this.#options.contents.manifest(batch)
  }

  freeze(batch: SealedBatch, manifest: Manifest): Promise<void> {
    return this.#options.contents.freeze(batch, manifest)
  }

  thaw(batch: SealedBatch): Promise<void> {
    return this.#options.contents.thaw(batch)
  }

  async stage(batch: SealedBatch): Promise<StagingWriter> {
    const writer = await this.#options.contents.stage(batch)
    return {
      write: (block) => writer.write(block),
      finish: async (index) => {
        await writer.finish(index)
        await this.#lookAtRoom(batch)
      },
      abandon: () => writer.abandon(),
    }
  }

  staged(batch: SealedBatch): Promise<StagedBatch | undefined> {
    return this.#options.contents.staged(batch)
  }

  async unstage(batch: SealedBatch): Promise<void> {
    await this.#options.contents.unstage(batch)
    await this.#lookAtRoom(batch)
  }

  #lookAtRoom({ streamId, lane = 0 }: SealedBatch): Promise<void> {
    return this.#room.lookAt({ streamId, lane })
  }

  #writer(streamId: string): StreamWriter {
    let writer = this.#writers.get(streamId)
    if (writer === undefined) {
      const { clock, lanes } = this.#options
      writer = new StreamWriter({
        streamId,
        writer: this.#process,
        nextSequence: () => this.#nextSequence(),
        ids: this.#ids,
        clock,
        room: this.#room,
        scripts: this.#scripts,
        enterLanes: (count) => this.#insist(() => lanes.enter(streamId, count)),
        look: (lane) => this.#findOpen(lane),
        onNotOpen: (batchId) => this.#opened.delete(batchId),
        onAppended: (lane, answer, target) => this.#appended(lane, answer, target),
      })
      this.#writers.set(streamId, writer)
    }
    return writer
  }

  #appended(lane: Lane, { batchId, opened, sealed }: AppendAnswer, { ageMsMax }: AppendTarget) {
    const { clock, onOpened, onSealed } = this.#options
    if (opened) {
      this.#opened.add({ ...lane, batchId }, clock.monotonicMs() + ageMsMax)
      onOpened({ ...lane, batchId }, ageMsMax)
    }
    for (const batch of sealed) {
      this.#forget({ ...lane, batchId: batch.batchId })
      onSealed(batch)
    }
  }

  async #sealOverdue(): Promise<void> {
    const { clock, logger } = this.#options
    try {
      const overdueMs = clock.nowMs() - OVERDUE_MS
      const open = await this.#open(await this.#allLanes())
      const overdue = open.filter(({ dueAtMs }) => dueAtMs < overdueMs)
      await Promise.all(overdue.map((batch) => this.#trySeal(batch, 'age')))
    } catch (error) {
      logger.warn({ error }, 'Redis does not tell which batches are overdue.')
    }
  }

  async #sealOpen(lanes: readonly Lane[], reason: SealReason): Promise<void> {
    const open = await this.#open(lanes)
    await Promise.all(open.map((batch) => this.#trySeal(batch, reason)))
  }

  /** What fails is tried again by `sealDue`, here or elsewhere. */
  async #trySeal({ streamId, lane, batchId }: UnsealedBatch, reason: SealReason): Promise<void> {
    const { clock, logger } = this.#options
    try {
      await this.sealBatch(streamId, lane, batchId, reason)
    } catch (error) {
      const fields = { streamId, lane, batchId, error }
      logger.warn(fields, 'A batch could not be sealed; it is tried again.')
      this.#opened.add({ streamId, lane, batchId }, clock.monotonicMs() + SEAL_AGAIN_MS)
    }
  }

  async #open(lanes: readonly Lane[]): Promise<LaneOpenBatch[]> {
    return (await forLanes(lanes, (lane) => this.#findOpen(lane))).filter(isOpen)
  }

  #findOpen(lane: Lane): Promise<LaneOpenBatch | undefined> {
    const { client, keys } = this.#options
    return this.#insist(() => findOpen(client, keys, lane))
  }

  #lanesOf(streamId: string): Promise<readonly Lane[]> {
    return this.#insist(() => this.#options.lanes.of(streamId))
  }

  #allLanes(): Promise<readonly Lane[]> {
    return this.#insist(() => this.#options.lanes.all())
  }

  #insist<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    return insist(ask, this.#options)
  }

  /** The batch is sealed. */
  #forget({ streamId, lane, batchId }: UnsealedBatch): void {
    this.#opened.delete(batchId)
    this.#writers.get(streamId)?.forget(lane, batchId)
  }

  #forgetIdle(): void {
    const idleSinceMs = this.#options.clock.monotonicMs() - WRITER_IDLE_MS
    for (const [streamId, writer] of this.#writers) {
      if (writer.isIdleSince(idleSinceMs)) this.#writers.delete(streamId)
    }
  }

  #nextSequence(): number {
    this.#sequence += 1
    return this.#sequence
  }
}
