/**
 * A manifest is the frozen plan of a batch: for each output its kind, final name, size and hash. It
 * is durable before the first byte leaves, and from then on every attempt, by whatever process,
 * writes identical bytes under identical names. That is the whole of exactly-once.
 *
 * - A batch without a manifest has touched nothing outside.
 * - A manifest found at claim may have been acted on by a process that died: its names are fixed.
 * - A manifest frozen in this claim whose every attempt was refused without effect (wrong bucket,
 *   no permission) is thawed, so that an UpdateDestination can cure the stream.
 */
import type { Json, JsonObject } from './base/json.ts'
import type { BatchId } from './batch.ts'

/** Which column of the books an output's records belong to; a backup is a copy and counts nowhere. */
export type Accounting = 'delivered' | 'errored' | 'copy'

/** What became of the accepted records, as far as it can be told of each. */
export interface ProcessingSummary {
  /**
   * - `kept`: those that are neither dropped nor failed keep their ordinals.
   * - `lost`: each accepted record is one record or none, but the order is another (partitions).
   * - `split`: records were split or merged; of a single one nothing can be told.
   */
  readonly order: 'kept' | 'lost' | 'split'
  /** Dropped by a transform (a RecordSet of accepted ordinals); absent: none, or it can't be told. */
  readonly dropped?: string
  /** Failed by a processor: they are in the outputs whose kinds are error-output-types. */
  readonly failed?: string
}

/** A manifest that can't be read: what its batch may have done outside is not known any more. */
export class ManifestDamaged extends Error {
  override readonly name = 'ManifestDamaged'
}

/** Records of a batch, from the first ordinal up to, not including, the second. */
export interface OrdinalRange {
  readonly from: number
  readonly to: number
}

export interface FrozenOutput {
  readonly kind: string
  /** The destination's own words for where: a bucket and key, an index and ids, a table. */
  readonly target: Json
  readonly accounting: Accounting
  readonly recordCount: number
  /** Absent: all records of the batch. */
  readonly range?: OrdinalRange
  /** Of the bytes as they leave; 0 where records are sent one by one. */
  readonly sizeBytes: number
  /** Of the bytes as they leave, in hex; empty where records are sent one by one. */
  readonly sha256: string
  /** Hashes under which the output was frozen before, when it had to be frozen again. */
  readonly formerSha256s: readonly string[]
  /** What the attempts so far have come to; absent before the first has ended. */
  readonly progress?: OutputProgress
}

/** Kept with the manifest, so that a retry, also after a restart, takes up where the last one ended. */
export interface OutputProgress {
  readonly attempts: number
  readonly lastAttemptAtMs: number
  /** Records neither arrived nor refused (a RecordSet); absent: all is settled. */
  readonly pending?: string
  /**
   * Those of the pending of which an attempt may have taken effect unseen; absent: none. While an
   * attempt is under way, all of the pending.
   */
  readonly unknown?: string
  /** Records that go to the error output. */
  readonly refused: readonly Refusal[]
  /** Why the last attempt left something pending. */
  readonly lastFailure?: { readonly errorCode: string; readonly errorMessage: string }
}

export interface Refusal {
  readonly ordinal: number
  readonly errorCode: string
  readonly errorMessage: string
  readonly attempts: number
  readonly atMs: number
}

export interface Manifest {
  readonly batchId: BatchId
  /** The stream's configuration at the moment of freezing; later updates do not touch this batch. */
  readonly versionId: number
  readonly destinationType: string
  readonly destination: JsonObject
  /** When it was first frozen, just before the first attempt: the retry duration counts from here. */
  readonly frozenAtMs: number
  /**
   * Nothing has taken effect under this manifest: only its `frozenAtMs` counts, all else is made anew
   * from the stream as it is then.
   */
  readonly thawed?: { readonly attempts: number }
  readonly outputs: readonly FrozenOutput[]
  /** Records dropped by a transform. */
  readonly droppedCount: number
  /** Records that processors made out of others by splitting them; absent: none. */
  readonly madeCount?: number
  /** Present when processors ran. */
  readonly processing?: ProcessingSummary
  /** Records that could not be read back (bad checksum) and lie in quarantine. */
  readonly quarantinedCount: number
}
