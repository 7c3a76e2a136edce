/** What would become of a record, stage by stage, were it sent to a stream now. */
import type { Json } from './base/json.ts'
import type { Failure } from './delivery-queue.ts'
import type { DeliveryStream } from './delivery-stream.ts'
import type { Accounting } from './manifest.ts'
import type { PartitionKeys } from './partition.ts'

export interface Explanation {
  readonly stages: readonly ExplainedStage[]
  readonly outputs: readonly ExplainedOutput[]
}

export interface ExplainedStage {
  /** AWS's ProcessorType where there is one. */
  readonly name: string
  /** What came out of it; none: all was dropped or failed. */
  readonly records: readonly ExplainedRecord[]
  readonly failures: readonly Failure[]
  readonly droppedCount: number
}

export interface ExplainedRecord {
  readonly data: Buffer
  readonly keys?: PartitionKeys
}

/** An output that would be written; of its content, the head. */
export interface ExplainedOutput {
  readonly kind: string
  readonly accounting: Accounting
  readonly target: Json
  readonly recordCount: number
  readonly sizeBytes: number
  readonly content?: Buffer
  /** What its records would be at the destination: a document with its id, a row. */
  readonly records?: readonly ExplainedItem[]
}

export type ExplainedItem = { readonly item: Json } | { readonly refusal: Failure }

export interface Explainer {
  /**
   * Runs processors and encodes, as delivery does; nothing is sent and nothing is kept. Functions are
   * called, as they can't know.
   * @throws DeliveryError when something that is asked for it does not answer
   */
  explain(stream: DeliveryStream, data: Buffer): Promise<Explanation>
}
