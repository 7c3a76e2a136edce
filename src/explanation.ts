/** What would become of a record, stage by stage, were it sent to a stream now. */
import type { Json } from './base/json.ts'
import type { Failure } from './delivery-queue.ts'
import type { DeliveryStream } from './delivery-stream.ts'
import type { ContentFormat, ExplainedItem } from './destination.ts'
import type { Accounting } from './manifest.ts'
import type { PartitionKeys } from './partition.ts'

/** One record may become any number of records and objects: of each list, so many are shown. */
export const EXPLAINED_MAX = 100

export interface Explanation {
  readonly stages: readonly ExplainedStage[]
  /** The first of them. */
  readonly outputs: readonly ExplainedOutput[]
  readonly outputCount: number
}

export interface ExplainedStage {
  /** AWS's ProcessorType where there is one. */
  readonly name: string
  /** What came out of it, the first of them. */
  readonly records: readonly ExplainedRecord[]
  /** None: all was dropped or failed. */
  readonly recordCount: number
  /** The first of them. */
  readonly failures: readonly Failure[]
  readonly failedCount: number
  readonly droppedCount: number
}

export interface ExplainedRecord {
  readonly data: Buffer
  readonly keys?: PartitionKeys
}

/** An output that would be written, or sent. */
export interface ExplainedOutput {
  readonly kind: string
  readonly accounting: Accounting
  readonly target: Json
  readonly recordCount: number
  /** As it is written; 0 where records are sent one by one. */
  readonly sizeBytes: number
  /** Absent where records are sent one by one. */
  readonly content?: ExplainedContent
  /** The first of its records as the destination would have them; absent: the content says it all. */
  readonly records?: readonly (ExplainedItem | ExplainedRefusal)[]
}

export interface ExplainedContent {
  readonly format: ContentFormat
  /** Decompressed, the beginning of it. Absent of Parquet, whose bytes tell a reader nothing. */
  readonly head?: Buffer
  /** Whether that is all of it. */
  readonly isWhole: boolean
}

/** A record that would go to the error output. */
export interface ExplainedRefusal {
  readonly ordinal: number
  readonly refusal: Failure
}

export interface Explainer {
  /**
   * Runs processors and encodes, as delivery does; nothing is sent and nothing is kept. Functions are
   * called, as they can't know. Names and ids that come from a batch's id are those of a batch that is
   * made up.
   * @throws DeliveryError when something that is asked for it does not answer
   */
  explain(stream: DeliveryStream, data: Buffer): Promise<Explanation>
  /** The process is ending: explanations that are under way fail with a DeliveryError. */
  stop(): void
}
