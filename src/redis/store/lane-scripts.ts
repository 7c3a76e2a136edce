/** The store's scripts, each as a call: what goes into KEYS and ARGV, and what comes back. */
import type { Clock } from '../../base/clock.ts'
import type { BatchId, SealedBatch, SealReason } from '../../batch.ts'
import { ORIGIN_KEPT_MS, ORIGINS_KEPT_MAX } from '../../chunk-origin.ts'
import type { ChunkOrigin, PartitionPosition } from '../../chunk-origin.ts'
import { InsistentScripts } from '../insistent-scripts.ts'
import type { BatchThing, Keys, LaneKeys, LaneThing } from '../keys.ts'
import type { Lane } from '../lanes.ts'
import type { ScriptArgument, ScriptRunner } from '../scripts.ts'

/** What a writer was answered is forgotten when nothing was heard of it for so long. */
const WRITER_FORGOTTEN_MS = 3_600_000
/** An attempt to import a batch that has died is forgotten after so long. */
const ATTEMPT_SECONDS = 3_600

/** laneKeys() of shared/seal.lua. */
const LANE_THINGS: readonly LaneThing[] = [
  'gone',
  'open',
  'sealed',
  'usage',
  'receipts',
  'accepted',
  'books',
  'replays',
  'imported',
  'queued',
  'queue',
  'due',
]
/** batchKeys() of shared/seal.lua. */
const BATCH_THINGS: readonly BatchThing[] = ['batch', 'chunks', 'index', 'entry']
/** What goes when a batch is removed; its entry is the queue's. */
const REMOVED_THINGS: readonly BatchThing[] = ['batch', 'chunks', 'index', 'manifest', 'staged']
/** How far sources are read, as append.lua and restore-positions.lua want it. */
const POSITION_THINGS: readonly LaneThing[] = ['positions', 'requests', 'requestorder']
const DISCARDED_THINGS: readonly LaneThing[] = [
  'usage',
  'sealed',
  'open',
  'writers',
  'quarantine',
  ...POSITION_THINGS,
]

/** What a lane's batches are in sum. */
export interface LaneUsage {
  readonly storedBytes: number
  readonly batchCount: number
}

/** A chunk as it goes to Redis. */
export interface FramedChunk {
  readonly frame: Buffer
  readonly origin: ChunkOrigin | undefined
}

export interface AppendCall {
  readonly writer: string
  /** Rises from call to call of a writer. */
  readonly sequence: number
  /** Undefined: none is open. */
  readonly believed: BatchId | undefined
  /** For the batch that is opened if one has to be. */
  readonly fresh: BatchId
  readonly sizeBytesMax: number
  readonly ageMsMax: number
  readonly wrappedDataKey: string | undefined
  readonly chunks: readonly FramedChunk[]
}

export interface AppendAnswer {
  readonly batchId: BatchId
  readonly firstOrdinal: number
  /** How many of the chunks were taken, from the first on. */
  readonly count: number
  readonly opened: boolean
  readonly isOpen: boolean
  readonly dataBytes: number
  readonly sealed: readonly SealedBatch[]
}

export type AppendOutcome =
  | { readonly kind: 'done'; readonly answer: AppendAnswer; readonly usage: LaneUsage }
  /** Another batch is open than was believed. */
  | { readonly kind: 'other'; readonly batchId: BatchId }
  /** The stream is deleted; or a later call of the writer was there before. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'late' }
  /** The first chunk's origin is not in its turn. */
  | { readonly kind: 'moved' }

/** One attempt of one process to import a batch. */
export interface ImportAttempt {
  readonly lane: Lane
  readonly batchId: BatchId
  /** Unlike any other. */
  readonly name: string
}

/** A batch of which an attempt to import it has put all chunks. */
export interface ImportedFacts {
  readonly chunkCount: number
  readonly recordCount: number
  readonly dataBytes: number
  readonly storedBytes: number
  readonly firstArrivalMs: number
  readonly lastArrivalMs: number
  readonly wrappedDataKey: string | undefined
}

export type ImportOutcome =
  | { readonly kind: 'made'; readonly batch: SealedBatch; readonly usage: LaneUsage }
  | { readonly kind: 'known' | 'gone' | 'lost' }

export interface LaneScriptsOptions {
  readonly scripts: ScriptRunner
  /** Runs what must not be lost once it is answered. */
  readonly durable: ScriptRunner
  readonly keys: Keys
  readonly clock: Clock
}

/** Each is repeated for some seconds when its answer is lost. */
export class LaneScripts {
  readonly #scripts: ScriptRunner
  readonly #durable: ScriptRunner
  readonly #keys: Keys
  readonly #clock: Clock

  constructor({ scripts, durable, keys, clock }: LaneScriptsOptions) {
    this.#scripts = new InsistentScripts(scripts, clock)
    this.#durable = new InsistentScripts(durable, clock)
    this.#keys = keys
    this.#clock = clock
  }

  async append(lane: Lane, call: AppendCall): Promise<AppendOutcome> {
    const keys = this.#keysOf(lane)
    const nowMs = this.#clock.nowMs()
    const answer = await this.#durable.run(
      'append',
      [
        ...laneKeys(keys),
        keys.of('writers'),
        ...positionKeys(keys),
        ...batchKeys(keys, call.believed ?? call.fresh),
        ...batchKeys(keys, call.fresh),
      ],
      [
        call.writer,
        call.sequence,
        lane.streamId,
        lane.lane,
        call.believed ?? '',
        call.fresh,
        nowMs,
        nowMs + call.ageMsMax,
        call.sizeBytesMax,
        call.wrappedDataKey ?? '',
        nowMs - WRITER_FORGOTTEN_MS,
        ORIGIN_KEPT_MS,
        ORIGINS_KEPT_MAX,
        call.chunks.length,
        ...call.chunks.map(({ frame }) => frame),
        ...call.chunks.flatMap(({ origin }, index) =>
          origin === undefined ? [] : originArguments(index + 1, origin),
        ),
      ],
    )
    const [kind, text, ...usage] = answer as [string, string, number, number]
    if (kind === 'gone' || kind === 'late' || kind === 'moved') return { kind }
    if (kind === 'other') return { kind, batchId: text }
    return { kind: 'done', answer: JSON.parse(text) as AppendAnswer, usage: usageOf(usage) }
  }

  /** False when the stream is deleted. */
  async restorePositions(lane: Lane, positions: readonly PartitionPosition[]): Promise<boolean> {
    const keys = this.#keysOf(lane)
    const answer = await this.#durable.run(
      'restore-positions',
      [keys.of('gone'), ...positionKeys(keys)],
      [
        this.#clock.nowMs(),
        ORIGIN_KEPT_MS,
        ORIGINS_KEPT_MAX,
        ...positions.flatMap(({ partition, sequence, atMs, position, passing }) => [
          partition,
          sequence,
          atMs,
          position,
          passing === true ? 1 : '',
        ]),
      ],
    )
    return answer === 1
  }

  /**
   * The batch, if this call has sealed it; undefined when it is not the open one.
   * @param name of this call, unlike any other
   */
  async seal(
    lane: Lane,
    batchId: BatchId,
    reason: SealReason,
    name: string,
  ): Promise<SealedBatch | undefined> {
    const keys = this.#keysOf(lane)
    const answer = await this.#scripts.run(
      'seal',
      [...laneKeys(keys), ...batchKeys(keys, batchId)],
      [batchId, lane.streamId, lane.lane, reason, this.#clock.nowMs(), name],
    )
    return answer === null ? undefined : (JSON.parse(answer as string) as SealedBatch)
  }

  /** False when what was put before is gone. */
  async putImported(
    attempt: ImportAttempt,
    { chunksBefore, frame, entry }: { chunksBefore: number; frame: Buffer; entry: Buffer },
  ): Promise<boolean> {
    const answer = await this.#scripts.run('import-chunk', this.attemptKeys(attempt), [
      chunksBefore,
      ATTEMPT_SECONDS,
      frame,
      entry,
    ])
    return answer === 1
  }

  async sealImported(
    attempt: ImportAttempt,
    facts: ImportedFacts,
    reason: SealReason,
  ): Promise<ImportOutcome> {
    const { lane, batchId, name } = attempt
    const keys = this.#keysOf(lane)
    const answer = await this.#durable.run(
      'import-seal',
      [...laneKeys(keys), ...batchKeys(keys, batchId), ...this.attemptKeys(attempt)],
      [
        batchId,
        lane.streamId,
        lane.lane,
        reason,
        this.#clock.nowMs(),
        name,
        facts.chunkCount,
        facts.recordCount,
        facts.dataBytes,
        facts.storedBytes,
        facts.firstArrivalMs,
        facts.lastArrivalMs,
        facts.wrappedDataKey ?? '',
      ],
    )
    const [kind, text, ...usage] = answer as [ImportOutcome['kind'], string, number, number]
    if (kind !== 'made') return { kind }
    return { kind, batch: JSON.parse(text) as SealedBatch, usage: usageOf(usage) }
  }

  /** Chunks and index of an attempt to import a batch. */
  attemptKeys({ lane, batchId, name }: ImportAttempt): readonly [string, string] {
    const keys = this.#keysOf(lane)
    return [
      `${keys.ofBatch('chunks', batchId)}.${name}`,
      `${keys.ofBatch('index', batchId)}.${name}`,
    ]
  }

  async remove(lane: Lane, batchId: BatchId): Promise<LaneUsage> {
    const keys = this.#keysOf(lane)
    const answer = await this.#scripts.run(
      'remove-batch',
      [keys.of('usage'), keys.of('sealed'), ...removedKeys(keys, batchId)],
      [batchId],
    )
    return usageOf(answer as number[])
  }

  /** Whether nothing is left in the lane. */
  async discard(lane: Lane, batchIds: readonly BatchId[]): Promise<boolean> {
    const keys = this.#keysOf(lane)
    const answer = await this.#scripts.run(
      'discard-batches',
      [
        ...DISCARDED_THINGS.map((thing) => keys.of(thing)),
        ...batchIds.flatMap((batchId) => removedKeys(keys, batchId)),
      ],
      batchIds,
    )
    return answer === 1
  }

  #keysOf({ streamId, lane }: Lane): LaneKeys {
    return this.#keys.lane(streamId, lane)
  }
}

function laneKeys(keys: LaneKeys): string[] {
  return LANE_THINGS.map((thing) => keys.of(thing))
}

function positionKeys(keys: LaneKeys): string[] {
  return POSITION_THINGS.map((thing) => keys.of(thing))
}

function originArguments(
  place: number,
  { partition, sequence, position, passing }: ChunkOrigin,
): ScriptArgument[] {
  return [place, partition, sequence, position, passing === true ? 1 : '']
}

function batchKeys(keys: LaneKeys, batchId: BatchId): string[] {
  return BATCH_THINGS.map((thing) => keys.ofBatch(thing, batchId))
}

function removedKeys(keys: LaneKeys, batchId: BatchId): string[] {
  return REMOVED_THINGS.map((thing) => keys.ofBatch(thing, batchId))
}

function usageOf([storedBytes = 0, batchCount = 0]: readonly number[]): LaneUsage {
  return { storedBytes, batchCount }
}
