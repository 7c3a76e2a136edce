import type { JsonObject } from './base/json.ts'

export type DeliveryStreamStatus =
  | 'CREATING'
  | 'CREATING_FAILED'
  | 'ACTIVE'
  | 'DELETING'
  | 'DELETING_FAILED'
/** What a stream's records are read from; the last is an extension. */
export type SourceTypeName = 'KinesisStreamAsSource' | 'MSKAsSource' | 'RedisStreamAsSource'
export type DeliveryStreamType = 'DirectPut' | SourceTypeName
export type EncryptionStatus =
  | 'ENABLED'
  | 'ENABLING'
  | 'ENABLING_FAILED'
  | 'DISABLED'
  | 'DISABLING'
  | 'DISABLING_FAILED'

export interface Tag {
  readonly Key: string
  readonly Value?: string
}

export interface StreamEncryption {
  readonly status: EncryptionStatus
  readonly keyType?: 'AWS_OWNED_CMK' | 'CUSTOMER_MANAGED_CMK'
  readonly keyArn?: string
  /** The stream's data key under the service's wrapping key. Never leaves the service. */
  readonly wrappedDataKey?: string
  /** When it was last started or stopped, oldest first; no more than a day's quota. */
  readonly changedAtMs?: readonly number[]
}

/** A delivery stream as the catalog keeps it. Configuration is in Firehose's own spelling. */
export interface DeliveryStream {
  /** Unique for ever; a stream deleted and made again under the same name has another. */
  readonly streamId: string
  readonly name: string
  readonly arn: string
  readonly status: DeliveryStreamStatus
  readonly type: DeliveryStreamType
  readonly createdAtMs: number
  /** Where its records are read, normalised: every default is written out. Absent: DirectPut. */
  readonly source?: JsonObject
  /** What a creator of a DirectPut stream expects to send; told back and not acted on. */
  readonly throughputHintInMBs?: number
  /** Absent until the first update that changed something. */
  readonly updatedAtMs?: number
  /** VersionId of the API: 1, and one more with every effective update. */
  readonly versionId: number
  /** Compare-and-set counter of the catalog; changes with every write, tags included. */
  readonly revision: number
  /** In lexical order of their keys. */
  readonly tags: readonly Tag[]
  readonly encryption: StreamEncryption
  /** Nothing is delivered until an operator resumes it; records are still accepted. */
  readonly paused?: true
  /** Key into the table of destinations (destinations/index.ts). */
  readonly destinationType: string
  /** Normalised: every default is written out. */
  readonly destination: JsonObject
}

/** Tag that spreads a hot stream over several lanes of a Redis backend (an extension). */
export const LANES_TAG = 'standpipe:Lanes'
export const LANE_COUNT_MAX = 16

/** Over how many lanes the stream is spread: 1, unless its tag says otherwise. */
export function laneCount(stream: DeliveryStream): number {
  const count = Number(stream.tags.find((tag) => tag.Key === LANES_TAG)?.Value)
  return Number.isInteger(count) && count > 0 ? Math.min(count, LANE_COUNT_MAX) : 1
}

/** A batch that could not be delivered for this long is parked; AWS keeps DirectPut data 24 h. */
export const RETENTION_HOURS_DEFAULT = 24
/** Tag by which any AWS client sets a stream's retention (an extension). */
export const RETENTION_TAG = 'standpipe:RetentionPeriodHours'

export function retentionMs(stream: DeliveryStream): number {
  const hours = Number(stream.tags.find((tag) => tag.Key === RETENTION_TAG)?.Value)
  return (hours > 0 ? hours : RETENTION_HOURS_DEFAULT) * 3_600_000
}
