/**
 * A destination is one folder under destinations/ and one line in its index: its configuration
 * (create, update, describe) and what it does with a batch: encode, then deliver. A destination
 * makes one attempt and classifies; the engine owns time, retries, concurrency and metrics.
 */
import type { Json, JsonObject } from './base/json.ts'
import type { Clock } from './base/clock.ts'
import type { Logger } from './base/logger.ts'
import type { SealedBatch } from './batch.ts'
import type { StoredChunk } from './batch-store.ts'
import type { Connections } from './connections.ts'
import type { DeliveryStream } from './delivery-stream.ts'
import type { Accounting, FrozenOutput, Manifest, OrdinalRange } from './manifest.ts'
import type { ObjectReader, ObjectStore } from './object-store.ts'
import type { PartitionKeys, PartitionRules } from './partition.ts'

/** A configuration that Firehose would refuse. Becomes InvalidArgumentException. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

export interface ConfigurationContext {
  /** Enforce AWS's limits that only hurt. */
  readonly strictAws: boolean
  /** Where buckets are, so that what the store can't do is refused at create. */
  readonly objectStoreKind: 's3' | 'folder'
}

export interface BufferingLimits {
  readonly sizeBytesMax: number
  readonly ageMsMax: number
}

export interface DestinationType {
  /** Key in the table and in stored streams, e.g. `ExtendedS3`. */
  readonly name: string
  /** Prefix of its CloudWatch metrics, e.g. `DeliveryToS3`. */
  readonly metric: string
  /** Members of CreateDeliveryStream that this type answers to. */
  readonly configurationMembers: readonly string[]
  /** Members of UpdateDestination that this type answers to. */
  readonly updateMembers: readonly string[]
  /**
   * The stored form of a create request's member, with every default written out.
   * @throws ConfigurationError
   */
  create(member: string, configuration: JsonObject, context: ConfigurationContext): JsonObject
  /**
   * The stored form after an update, merged as AWS merges. Equal to `current` when nothing changed.
   * @throws ConfigurationError
   */
  update(
    current: JsonObject,
    member: string,
    update: JsonObject,
    context: ConfigurationContext,
  ): JsonObject
  /** Members of DestinationDescription, without secrets. */
  describe(stored: JsonObject): JsonObject
  buffering(stored: JsonObject): BufferingLimits
  /**
   * Where one record is within an output of this target, as far as its id tells, e.g. `{ _id }`. Absent:
   * its id says nothing of that.
   */
  recordTarget?(target: Json, recordId: string): JsonObject
  open(context: DestinationContext): Destination
}

export interface DestinationContext {
  readonly objectStore: ObjectStore
  /** For what a configuration names and does not hold; absent: nothing can be read. */
  readonly objectReader?: ObjectReader
  readonly connections: Connections
  readonly clock: Clock
  readonly logger: Logger
}

export interface EncodeJob {
  /** As processors left it: fewer records, or more, than were accepted. */
  readonly batch: SealedBatch
  readonly stream: DeliveryStream
  /** The batch's chunks in order; may be iterated once. */
  readonly chunks: AsyncIterable<StoredChunk>
  /** Present when processors ran; without it, the batch is as it was accepted. */
  readonly processed?: ProcessedBatch
  /** Present when names are fixed already: outputs must come out under exactly these targets. */
  readonly frozen: Manifest | undefined
  /**
   * A place for an output's bytes: in memory while small, then in a temporary file. The engine gives
   * it back when the attempt is over, however that ended.
   */
  openSpool(): Spool
}

/** What an encoder needs to know of a batch that processors have been at. */
export interface ProcessedBatch {
  /** The chunks as they were accepted, for a backup; may be iterated once. */
  readonly originals: AsyncIterable<StoredChunk>
  /**
   * With dynamic partitioning: which records go to which objects. In the batch's order, and together all
   * of the batch; `chunks` of the job then goes through one after the other.
   */
  readonly partitions?: readonly Partition[]
  /** With data format conversion: a TableSchema. */
  readonly tableSchema?: Json
}

export interface Partition {
  readonly keys: PartitionKeys
  /** Its records, in the ordinals of the processed batch. */
  readonly range: OrdinalRange
  readonly dataBytes: number
  readonly firstArrivalMs: number
  /** May be iterated once. */
  chunks(): AsyncIterable<StoredChunk>
}

/** Bytes on their way out, written once and read any number of times. */
export interface Spool {
  write(bytes: Uint8Array): Promise<void>
  finish(): Promise<OutputContent>
}

/** A spool as the engine holds it, which gives up what an encoding did not finish. */
export interface OpenedSpool extends Spool {
  /** Harmless when the spool was finished or disposed of before. */
  dispose(): Promise<void>
}

export interface OutputContent {
  readonly sizeBytes: number
  /** Hex. */
  readonly sha256: string
  /** The bytes from `start` up to, not including, `end`; valid until disposal. */
  read(start: number, end: number): Promise<Buffer>
  /** Gives the memory or temporary file back; harmless the second time. */
  dispose(): Promise<void>
}

/** A CompressionFormat, or a form of file. */
export type ContentFormat =
  | 'UNCOMPRESSED'
  | 'GZIP'
  | 'ZIP'
  | 'Snappy'
  | 'HADOOP_SNAPPY'
  | 'ZSTD'
  | 'PARQUET'

/** Something that takes effect, or is repeated, by itself: an object, a bulk of documents, a request. */
export interface EncodedOutput {
  readonly kind: string
  readonly target: Json
  readonly accounting: Accounting
  readonly recordCount: number
  /** Which of the batch's records it is made of; absent: all. */
  readonly range?: OrdinalRange
  /** The bytes to write. Absent where `deliver` sends the records one by one. */
  readonly content?: OutputContent
  /** How `content` is to be read by who explains it; absent: as it is. */
  readonly contentFormat?: ContentFormat
  /** Attempted only when all outputs before it have arrived. */
  readonly needsEarlier?: boolean
}

export interface BatchRecord {
  readonly ordinal: number
  readonly arrivalMs: number
  /** A view that is valid until the next records are asked for. */
  readonly data: Buffer
}

export interface DeliverJob {
  readonly batch: SealedBatch
  readonly output: EncodedOutput
  /** The stream as it was when the output's name was fixed. */
  readonly stream: DeliveryStream
  /** The stream as it is now: where the destination is, and with what password. */
  readonly currentStream: DeliveryStream
  /** Bytes with one of these hashes under the output's name are the output, too (see manifest.ts). */
  readonly formerSha256s: readonly string[]
  /** Attempts at this output before this one, by whatever process. */
  readonly earlierAttempts: number
  /** The output's records that have neither arrived nor been refused, in order, some at a time. */
  records(): AsyncIterable<readonly BatchRecord[]>
  readonly signal: AbortSignal
}

/** A record as its destination would have it. */
export interface ExplainedItem {
  readonly ordinal: number
  /** The destination's own words: a document's id, rows. */
  readonly item: JsonObject
  /** The bytes that it would be, where there are such. */
  readonly data?: Buffer
}

/** What a destination makes of an output's records, without sending them. */
export interface ExplainedRecords {
  readonly items: readonly ExplainedItem[]
  readonly refused: readonly RecordFailure[]
}

/** An output that is not to be delivered. */
export interface ExplainJob extends Pick<DeliverJob, 'batch' | 'output' | 'stream' | 'signal'> {
  /** The first of the output's records, in order, some at a time. */
  records(): AsyncIterable<readonly BatchRecord[]>
  /** With data format conversion: a TableSchema. */
  readonly tableSchema?: Json
}

/** A record that an attempt left behind. */
export interface RecordFailure {
  readonly ordinal: number
  /** As in AWS's error records, e.g. `400` or `Splunk.AckTimeout`. */
  readonly errorCode: string
  readonly errorMessage: string
  /** False: it goes to the error output. */
  readonly retryable: boolean
  /** `unknown`: it may have arrived. It is tried until that is known, beyond the retry duration too. */
  readonly effect: 'none' | 'unknown'
}

/** What becomes of records that a destination does not take. */
export interface FailurePolicy {
  /** From the first attempt on, in real time, across restarts. */
  readonly retryDurationMs: number
  /**
   * Repeats may double records at this destination: the ones whose fate is unknown go to the error
   * output like others when the retry duration is over, and progress is kept after each output.
   */
  readonly atLeastOnce: boolean
  /** The `error-output-type` of the error output's prefix, e.g. `splunk-failed`. */
  readonly errorOutputType: string
  /** Members of a record in the error output besides those that all have. */
  errorMembers(ordinal: number, output: FrozenOutput, batch: SealedBatch): JsonObject
}

export interface Destination {
  /**
   * Turns a batch into its outputs. Must be a pure function of the job: the same batch, stream
   * version and frozen names give the same bytes.
   */
  encode(job: EncodeJob): Promise<readonly EncodedOutput[]>
  /**
   * One attempt at what is pending of one output. Resolves with the records that it left behind; the
   * others have arrived once, also if it was an earlier attempt that did it.
   * @throws DeliveryError when the attempt failed as a whole
   */
  deliver(job: DeliverJob): Promise<readonly RecordFailure[]>
  /**
   * What the records of an output, one that counts as delivered, would be at the destination: documents
   * with their ids, rows, or refused. Nothing is sent; what has to be asked for it (a table's columns) is
   * read. Absent, or undefined: the output's bytes say it all.
   * @throws DeliveryError
   */
  explain?(job: ExplainJob): Promise<ExplainedRecords | undefined>
  /** The partition keys that a stream's objects are named by; absent: its batches are not partitioned. */
  partitioning?(stream: DeliveryStream): PartitionRules | undefined
  /** How many of a batch's outputs may be under way at once; absent: one after the other. */
  readonly outputsInFlightMax?: number
  /** Absent: records are tried for as long as the stream keeps them, and none is ever refused. */
  failurePolicy?(stream: DeliveryStream): FailurePolicy
  close(): Promise<void>
}

export interface DeliveryErrorOptions extends ErrorOptions {
  readonly retryable: boolean
  /** `none`: the destination refused, nothing was written. `unknown`: it may have been. */
  readonly effect: 'none' | 'unknown'
  /** The cause is an operator's to mend: the stream brakes rather than hammers. */
  readonly brake?: boolean
  /** The destination asked not to be tried again before (Retry-After). */
  readonly retryAfterMs?: number
}

/** A failed attempt, classified where it was born; nobody downstream reads messages. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError'
  /** AWS's error code, e.g. `S3.AccessDenied`. */
  readonly errorCode: string
  readonly retryable: boolean
  readonly effect: 'none' | 'unknown'
  readonly brake: boolean
  readonly retryAfterMs: number | undefined

  constructor(errorCode: string, message: string, options: DeliveryErrorOptions) {
    super(message, { cause: options.cause })
    this.errorCode = errorCode
    this.retryable = options.retryable
    this.effect = options.effect
    this.brake = options.brake ?? false
    this.retryAfterMs = options.retryAfterMs
  }
}
