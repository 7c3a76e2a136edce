/**
 * A destination is one folder under destinations/ and one line in its index: its configuration
 * (create, update, describe) and what it does with a batch: encode, then deliver. A destination
 * makes one attempt and classifies; the engine owns time, retries, concurrency and metrics.
 */
import type { Json, JsonObject } from './base/json.ts'
import type { Clock } from './base/clock.ts'
import type { Logger } from './base/logger.ts'
import type { Chunk, SealedBatch } from './batch.ts'
import type { DeliveryStream } from './delivery-stream.ts'
import type { Accounting, Manifest } from './manifest.ts'
import type { ObjectStore } from './object-store.ts'

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
  open(context: DestinationContext): Destination
}

export interface DestinationContext {
  readonly objectStore: ObjectStore
  readonly clock: Clock
  readonly logger: Logger
}

export interface EncodeJob {
  readonly batch: SealedBatch
  readonly stream: DeliveryStream
  /** The batch's chunks in order; may be iterated once. */
  readonly chunks: AsyncIterable<Chunk>
  /** Present when names are fixed already: outputs must come out under exactly these targets. */
  readonly frozen: Manifest | undefined
  /** A place for an output's bytes: in memory while small, then in a temporary file. */
  openSpool(): Spool
}

/** Bytes on their way out, written once and read any number of times. */
export interface Spool {
  write(bytes: Uint8Array): Promise<void>
  finish(): Promise<OutputContent>
}

export interface OutputContent {
  readonly sizeBytes: number
  /** Hex. */
  readonly sha256: string
  /** The bytes from `start` up to, not including, `end`; valid until disposal. */
  read(start: number, end: number): Promise<Buffer>
  /** Gives the memory or temporary file back. */
  dispose(): Promise<void>
}

export interface EncodedOutput {
  readonly kind: string
  readonly target: Json
  readonly accounting: Accounting
  readonly recordCount: number
  readonly content: OutputContent
}

export interface DeliverJob {
  readonly output: EncodedOutput
  /** The stream as it was when the output's name was fixed. */
  readonly stream: DeliveryStream
  /** Bytes with one of these hashes under the output's name are the output, too (see manifest.ts). */
  readonly formerSha256s: readonly string[]
  readonly signal: AbortSignal
}

export interface Destination {
  /**
   * Turns a batch into its outputs. Must be a pure function of the job: the same batch, stream
   * version and frozen names give the same bytes.
   */
  encode(job: EncodeJob): Promise<readonly EncodedOutput[]>
  /**
   * One attempt at one output. Resolves when it has taken effect once, also if an earlier attempt
   * did it.
   * @throws DeliveryError
   */
  deliver(job: DeliverJob): Promise<void>
  close(): Promise<void>
}

export interface DeliveryErrorOptions extends ErrorOptions {
  readonly retryable: boolean
  /** `none`: the destination refused, nothing was written. `unknown`: it may have been. */
  readonly effect: 'none' | 'unknown'
  /** The cause is an operator's to mend: the stream brakes rather than hammers. */
  readonly brake?: boolean
}

/** A failed attempt, classified where it was born; nobody downstream reads messages. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError'
  /** AWS's error code, e.g. `S3.AccessDenied`. */
  readonly errorCode: string
  readonly retryable: boolean
  readonly effect: 'none' | 'unknown'
  readonly brake: boolean

  constructor(errorCode: string, message: string, options: DeliveryErrorOptions) {
    super(message, { cause: options.cause })
    this.errorCode = errorCode
    this.retryable = options.retryable
    this.effect = options.effect
    this.brake = options.brake ?? false
  }
}
