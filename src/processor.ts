/**
 * A processor is one stage that a batch's records go through before they are encoded, in Firehose's
 * fixed order (processors/index.ts). It takes groups of records and gives groups of records; each
 * record that comes in goes out once, is failed once or is dropped once; what splitting adds is told by
 * `made`, and what merging takes away is dropped. So the books of a batch balance:
 *
 *   accepted + made = out + failed + dropped
 *
 * What is made of a batch is staged durably before anything leaves (staging.ts), so that a stage runs
 * once for a batch unless a process dies meanwhile.
 */
import type { Json, JsonObject } from './base/json.ts'
import type { SealedBatch } from './batch.ts'
import type { DeliveryStream } from './delivery-stream.ts'
import type { PartitionKeys } from './partition.ts'

export interface ProcessingRecord {
  /** Of the accepted record that it comes from; for rows that many records made, of the first. */
  readonly ordinal: number
  /** Which part of it, from 0, where it was split; absent: all of it. */
  readonly part?: number
  readonly arrivalMs: number
  readonly data: Buffer
  /** What the error output gets to see: the record as it was accepted, or the part split off. */
  readonly original: Buffer
  /** What its source tells of it: members of a transformation event's record, e.g. `kinesisRecordMetadata`. */
  readonly metadata?: JsonObject
  readonly keys?: PartitionKeys
  /** Records with the same text share their objects; set by the last stage of partitioning. */
  readonly partition?: string
}

/**
 * Groups of records, in the batch's order as far as stages keep it. The memory of a group is valid
 * until the next one is asked for: a stage that holds records longer copies them.
 */
export type Records = AsyncIterable<readonly ProcessingRecord[]>

export interface ProcessingFailure {
  /** `error-output-type` of the prefix, e.g. `processing-failed`. */
  readonly errorOutputType: ErrorOutputType
  readonly errorCode: string
  readonly errorMessage: string
  readonly attemptsMade: number
  /** When the last attempt ended. */
  readonly atMs: number
  /** Members of the error record besides those that all of the type have, e.g. `lambdaARN`. */
  readonly members?: JsonObject
}

/** AWS's names (facts: error outputs), those of processing. */
export type ErrorOutputType =
  | 'processing-failed'
  | 'decompression-failed'
  | 'format-conversion-failed'
  | 'activePartitionExceeded'

/** One call of something outside, for metrics and `standpipe functions list`. */
export interface Execution {
  /** What was called, e.g. a function's ARN. */
  readonly name: string
  readonly durationMs: number
  readonly recordCount: number
  /** Absent: it succeeded. */
  readonly errorCode?: string
}

export interface ProcessingJob {
  /** As it was accepted. */
  readonly batch: SealedBatch
  readonly stream: DeliveryStream
  /** The process is ending: what is under way is given up, and the stage throws. */
  readonly signal: AbortSignal
  /** The record goes to the error output and no further. What is needed of it is copied at once. */
  fail(record: ProcessingRecord, failure: ProcessingFailure): void
  /** A transform wants no more of the record. */
  drop(record: ProcessingRecord): void
  /** Splitting has made so many records more than there were. */
  made(count: number): void
  /** What the records are to be converted by, for whoever encodes them; kept with what is staged. */
  setTableSchema(schema: Json): void
  observe(execution: Execution): void
}

export interface Processor {
  /**
   * A generator over the groups of the stage before it.
   * @throws DeliveryError when nothing can be said of the records now: the batch is tried again later
   */
  process(records: Records, job: ProcessingJob): Records
}
