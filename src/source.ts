/**
 * A source is one folder under src/sources/ and one line in its index: its configuration (create,
 * describe) and how it is read. It knows its service's protocol: which partitions there are, who reads them
 * and how fast. What it reads it hands to its host partition by partition; the host makes chunks of it,
 * appends them, each once, and holds the source back while the stream's destination does not keep up.
 */
import type { Clock } from './base/clock.ts'
import type { JsonObject } from './base/json.ts'
import type { Logger } from './base/logger.ts'
import type { Connections } from './connections.ts'
import type { ConfigurationContext } from './destination.ts'
import type { DeliveryStream, SourceTypeName } from './delivery-stream.ts'

export interface SourceType {
  readonly name: SourceTypeName
  /** Member of CreateDeliveryStream, e.g. `KinesisStreamSourceConfiguration`. */
  readonly configurationMember: string
  /**
   * The stored form of that member, with every default written out.
   * @param createdAtMs where AWS begins to read: the stream's creation
   * @throws ConfigurationError
   */
  create(configuration: JsonObject, createdAtMs: number, context: ConfigurationContext): JsonObject
  /** `Source` of DeliveryStreamDescription, without secrets. */
  describe(stored: JsonObject): JsonObject
  open(stream: DeliveryStream, tools: SourceTools): Promise<Source>
}

/** What sources have of the process. */
export interface SourceTools {
  readonly connections: Connections
  /** Where Kinesis is; absent: AWS. */
  readonly kinesisEndpoint: string | undefined
  readonly region: string
  readonly clock: Clock
  readonly logger: Logger
}

export interface Source {
  /**
   * Reads until the signal aborts, then lets go of everything. What a service answers with may change: it
   * retries by itself what concerns one partition, and rejects when nothing of the source can be read; it
   * is run anew after a while.
   * @throws SourceError
   */
  run(host: SourceHost, signal: AbortSignal): Promise<void>
}

/** Something of a source can't be read now. The message is shown to operators and names no secret. */
export class SourceError extends Error {
  override readonly name = 'SourceError'
  /** In AWS's manner, e.g. `Kinesis.ResourceNotFound`, `Kafka.ConnectionFailed`. */
  readonly errorCode: string

  constructor(errorCode: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.errorCode = errorCode
  }
}

export interface SourceHost {
  readonly stream: DeliveryStream
  /** Some stage of the stream shows records' metadata to somebody: otherwise none need be made. */
  readonly wantsMetadata: boolean
  /** The partitions as far as they were read, in the order of the names. One call for all that is needed. */
  open(partitions: readonly string[]): Promise<readonly SourcePartition[]>
  /** See PartitionLeases. What is held is released when the run ends. */
  readonly leaseRenewMs: number
  renewLeases(partitions: readonly string[]): Promise<readonly string[]>
  /** Resolves when the stream may have more. Asked before something is read that takes memory. */
  admit(signal: AbortSignal): Promise<void>
  /** What is known of a partition that is read here, for status and metrics. */
  progress(partition: string, progress: PartitionProgress): void
  /** The partition is not read here any more. */
  ended(partition: string): void
  /** Records went before they could be read; how many, if that is known. */
  gap(partition: string, lostCount: number | undefined, message: string): void
  /** Something failed and is being retried; shown until the partition, or the source, makes progress. */
  failed(error: SourceError, partition?: string): void
  /** A call was refused because of the service's limits. */
  throttled(operation: string): void
}

export interface PartitionProgress {
  /** How far the last record read is behind what the partition has, in ms, as its service says. */
  readonly behindLatestMs?: number
  /** How many records are still to be read. */
  readonly lagCount?: number
}

export interface SourceRecord {
  readonly data: Buffer
  /** Of the source's record: several of ours share it where one was taken apart. */
  readonly position: string
  /** Members of a transformation event's record. */
  readonly metadata?: JsonObject
}

/** One partition, read by one reader at a time in this process. */
export interface SourcePartition {
  readonly partition: string
  /** Of the last record that was taken over; undefined: none ever was. */
  readonly position: string | undefined
  /**
   * Takes over the records that follow, in their order. Durable when it resolves. Waits while there is no
   * room, and for a store that can't be reached.
   * @throws PositionMoved when somebody else has gone on, or an answer was lost: what was read is let go,
   *   and the partition opened anew
   * @throws the signal's reason once it has aborted
   */
  append(records: readonly SourceRecord[], signal: AbortSignal): Promise<void>
}
