/**
 * Where batches live between the 200 and the receipt. Two implementations: embedded (files) and Redis;
 * one contract suite runs over both (test/contracts/batch-store.ts).
 */
import type { BatchId, Chunk, SealedBatch, SealReason } from './batch.ts'
import type { PartitionPosition } from './chunk-origin.ts'
import type { Manifest, OrdinalRange } from './manifest.ts'
import type { Staging } from './staging.ts'

/** What append needs to know of the stream. Changes take effect with the next batch opened. */
export interface AppendTarget {
  readonly streamId: string
  /** The open batch is sealed rather than grown beyond this, in bytes of record data. */
  readonly sizeBytesMax: number
  /** The open batch is due this long after its first record. */
  readonly ageMsMax: number
  /**
   * Present while server-side encryption is on for the stream. A batch is under one key, or under
   * none: an append under another than the open batch's seals that first.
   */
  readonly dataKey?: DataKey
  /** Over how many lanes the stream is spread, where a store has several; absent: one. */
  readonly laneCount?: number
}

/** A stream's data key: the plain key for use, and the wrapped form that is stored beside the data. */
export interface DataKey {
  readonly plain: Buffer
  readonly wrapped: string
}

/** The wrapping key of a data key is not in the key ring, or there is none. */
export class KeyUnavailable extends Error {
  override readonly name = 'KeyUnavailable'
}

/** Opens wrapped data keys. */
export interface KeyRing {
  /** @throws KeyUnavailable */
  unwrap(wrapped: string): Buffer
}

export interface Appended {
  readonly batchId: BatchId
  /** Place of the chunk's first record within the batch. */
  readonly firstOrdinal: number
}

/**
 * An append that was refused or failed; none of its records will be delivered. `full`: quota, free
 * space or batch count is exhausted and will recover by itself. `failed`: the disk gave an error;
 * the next append opens a new batch.
 */
export class AppendError extends Error {
  override readonly name = 'AppendError'
  readonly reason: 'full' | 'failed'

  constructor(reason: 'full' | 'failed', message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

export interface StoreUsage {
  /** Bytes of open and sealed batches, and of what is staged of them. */
  readonly storedBytes: number
  readonly quotaBytes: number
  readonly batchCount: number
  readonly quarantinedChunkCount: number
  /** False while appends are refused for want of room. */
  readonly accepting: boolean
}

/** A batch that is not announced as sealed yet. */
export interface OpenBatch {
  readonly batchId: BatchId
  /** `sealing`: it takes no more chunks. */
  readonly state: 'open' | 'sealing'
  readonly recordCount: number
  readonly dataBytes: number
  readonly firstArrivalMs: number
}

export interface BatchStore extends BatchContents {
  /**
   * Appends one chunk to the stream's open batch, opening and sealing as the target asks. Resolves
   * when the chunk is durable, and only then. Appends of one stream keep their order. Once it has
   * settled, the store has no more use for the payload's memory. A chunk that has an origin is appended
   * only in its turn (chunk-origin.ts), and that it was is as durable as the chunk.
   * @throws AppendError; after one that has failed the chunk may be there all the same where a server is
   *   asked, and its origin tells
   * @throws PositionMoved
   */
  append(target: AppendTarget, chunk: Chunk): Promise<Appended>
  /**
   * Makes one sealed batch of the chunks, under an id that the caller has made and kept: all of it, or
   * nothing. Resolves when it is durable and announced, with whether this call has made it. The chunks
   * are not asked for while the store holds the batch; where there are none, nothing is made. So it may
   * be repeated until the batch is delivered and removed, which is the caller's to find out once it is
   * asked for chunks. The limits of the target do not apply.
   * @throws AppendError, or what the chunks throw
   */
  importBatch(
    target: AppendTarget,
    batchId: BatchId,
    chunks: AsyncIterable<Chunk>,
    reason: SealReason,
  ): Promise<boolean>
  /** How far each partition of the stream's source is read, and which requests are known. */
  positions(streamId: string): Promise<readonly PartitionPosition[]>
  /**
   * Enters positions of another store. Those of partitions that have gone further here stay. Durable
   * when it resolves.
   */
  restorePositions(streamId: string, positions: readonly PartitionPosition[]): Promise<void>
  /** Seals the stream's open batch, if it has one with records. */
  seal(streamId: string, reason: SealReason): Promise<void>
  /** Seals every open batch. */
  sealAll(reason: SealReason): Promise<void>
  /** Seals what is due at `monotonicMs`. */
  sealDue(monotonicMs: number): Promise<void>
  /** When the next open batch is due, in monotonic ms; undefined when none is open. */
  nextDueMs(): number | undefined
  /** What of a stream is not sealed yet, oldest first. */
  openBatches(streamId: string): Promise<readonly OpenBatch[]>
  /** All sealed batches, oldest first within a stream; streams the store, never loads it. */
  list(): AsyncIterable<SealedBatch>
  /** Removes a batch whose receipt is durable. Removing twice is harmless. */
  remove(batch: SealedBatch): Promise<void>
  /** Drops all batches of a deleted stream, open and sealed, and its positions. */
  discard(streamId: string): Promise<void>
  usage(): StoreUsage
  close(): Promise<void>
}

/** The worker's side of the store: what it takes to deliver a batch that was claimed. */
export interface BatchContents extends Staging {
  /**
   * Streams the batch's chunks in order, each verified. A chunk that fails its checksum is moved to
   * quarantine, counted in `quarantinedCount` and skipped. A chunk's payload is valid until the next
   * one is asked for: all of them are read into the same memory.
   * @param range only chunks with records in it are read; absent: all
   */
  read(batch: SealedBatch, range?: OrdinalRange): BatchReading
  /**
   * The batch's manifest, if it was frozen.
   * @throws ManifestDamaged
   */
  manifest(batch: SealedBatch): Promise<Manifest | undefined>
  /**
   * Makes the manifest durable; replaces an earlier one.
   * @throws ClaimLost
   */
  freeze(batch: SealedBatch, manifest: Manifest): Promise<void>
  /**
   * Removes the manifest, durably.
   * @throws ClaimLost
   */
  thaw(batch: SealedBatch): Promise<void>
}

/** A chunk as it is read back: it knows its place, and its origin no more. */
export interface StoredChunk extends Omit<Chunk, 'origin'> {
  /** Ordinal of its first record. Before it there is a gap where a damaged chunk is missing. */
  readonly firstOrdinal: number
}

export interface BatchReading extends AsyncIterable<StoredChunk> {
  /** Records missed so far because their chunk is damaged; final when the iteration has ended. */
  readonly quarantinedCount: number
}
