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

export interface FrozenOutput {
  readonly kind: string
  /** The destination's own words for where: a bucket and key, an index and ids, a table. */
  readonly target: Json
  readonly accounting: Accounting
  readonly recordCount: number
  readonly sizeBytes: number
  /** Of the bytes as they leave, in hex. */
  readonly sha256: string
  /** Hashes under which the output was frozen before, when it had to be frozen again. */
  readonly formerSha256s: readonly string[]
}

export interface Manifest {
  readonly batchId: BatchId
  /** The stream's configuration at the moment of freezing; later updates do not touch this batch. */
  readonly versionId: number
  readonly destinationType: string
  readonly destination: JsonObject
  readonly frozenAtMs: number
  readonly outputs: readonly FrozenOutput[]
  /** Records dropped by a transform. */
  readonly droppedCount: number
  /** Records that could not be read back (bad checksum) and lie in quarantine. */
  readonly quarantinedCount: number
}
