/**
 * KinesisStreamSourceConfiguration: AWS's KinesisStreamARN and RoleARN, and as extensions where reading
 * begins (StartingPosition, StartingTimestamp) and whether it goes by enhanced fan-out
 * (EnhancedFanOutConsumerName). AWS begins at the delivery stream's creation. LATEST is the same instant
 * here: were it decided when reading begins, a restart before the first record would skip records.
 */
import { strict as assert } from 'node:assert'
import type { Json, JsonObject } from '../../base/json.ts'
import { ConfigurationError } from '../../destination.ts'

const STREAM_ARN = /^arn:aws[a-z-]*:kinesis:([a-z0-9-]+):\d{12}:stream\/([a-zA-Z0-9_.-]{1,128})$/
const ROLE_ARN = /^arn:/
const CONSUMER_NAME = /^[a-zA-Z0-9_.-]{1,128}$/
const MEMBERS = [
  'KinesisStreamARN',
  'RoleARN',
  'StartingPosition',
  'StartingTimestamp',
  'EnhancedFanOutConsumerName',
]

/** From where a shard is read that was never read. */
export type Beginning =
  | { readonly type: 'TRIM_HORIZON' }
  | { readonly type: 'AT_TIMESTAMP'; readonly atMs: number }

export interface KinesisConfiguration {
  readonly streamArn: string
  readonly beginning: Beginning
  /** Absent: shards are polled. */
  readonly consumerName: string | undefined
}

/** @throws ConfigurationError */
export function createConfiguration(configuration: JsonObject, createdAtMs: number): JsonObject {
  const { KinesisStreamARN, RoleARN, EnhancedFanOutConsumerName } = configuration
  for (const member of Object.keys(configuration)) {
    if (!MEMBERS.includes(member)) refuse(`there is no ${member}`)
  }
  if (!matches(KinesisStreamARN, STREAM_ARN)) {
    refuse('KinesisStreamARN must be arn:aws:kinesis:<region>:<account>:stream/<name>')
  }
  if (!matches(RoleARN, ROLE_ARN)) refuse('RoleARN must be an ARN')
  const consumer = EnhancedFanOutConsumerName
  if (consumer !== undefined && !matches(consumer, CONSUMER_NAME)) {
    refuse('EnhancedFanOutConsumerName must be 1 to 128 letters, digits, _, . or -')
  }
  return {
    KinesisStreamARN,
    RoleARN,
    ...startingPosition(configuration, createdAtMs),
    ...(consumer === undefined ? {} : { EnhancedFanOutConsumerName: consumer }),
  }
}

function startingPosition(configuration: JsonObject, createdAtMs: number): JsonObject {
  const { StartingPosition, StartingTimestamp } = configuration
  if (StartingTimestamp !== undefined && StartingPosition !== 'AT_TIMESTAMP') {
    refuse('StartingTimestamp goes with the StartingPosition AT_TIMESTAMP only')
  }
  switch (StartingPosition) {
    case 'TRIM_HORIZON':
      return { StartingPosition }
    case 'AT_TIMESTAMP': {
      if (typeof StartingTimestamp !== 'number' || !(StartingTimestamp >= 0)) {
        return refuse('StartingTimestamp must be given, in seconds since 1970')
      }
      if (StartingTimestamp * 1_000 > createdAtMs) refuse('StartingTimestamp is in the future')
      return { StartingPosition, StartingTimestamp }
    }
    case undefined:
    case 'LATEST':
      return { StartingPosition: 'AT_TIMESTAMP', StartingTimestamp: createdAtMs / 1_000 }
    default:
      return refuse('StartingPosition must be LATEST, TRIM_HORIZON or AT_TIMESTAMP')
  }
}

/** DeliveryStartTimestamp is AWS's; there is none where all that the stream still has is read. */
export function describeConfiguration(stored: JsonObject): JsonObject {
  const { KinesisStreamARN, RoleARN, StartingPosition, StartingTimestamp } = stored
  const { EnhancedFanOutConsumerName } = stored
  return {
    KinesisStreamSourceDescription: {
      KinesisStreamARN,
      RoleARN,
      ...(StartingTimestamp === undefined
        ? { StartingPosition }
        : { DeliveryStartTimestamp: StartingTimestamp }),
      ...(EnhancedFanOutConsumerName === undefined ? {} : { EnhancedFanOutConsumerName }),
    },
  }
}

export function readConfiguration(stored: JsonObject): KinesisConfiguration {
  const { KinesisStreamARN, StartingTimestamp, EnhancedFanOutConsumerName } = stored
  assert(typeof KinesisStreamARN === 'string', 'it was checked when the stream was made')
  return {
    streamArn: KinesisStreamARN,
    beginning:
      typeof StartingTimestamp === 'number'
        ? { type: 'AT_TIMESTAMP', atMs: Math.round(StartingTimestamp * 1_000) }
        : { type: 'TRIM_HORIZON' },
    consumerName:
      typeof EnhancedFanOutConsumerName === 'string' ? EnhancedFanOutConsumerName : undefined,
  }
}

/** Of an ARN that was checked when the delivery stream was made. */
export function streamPlace(streamArn: string): { region: string; streamName: string } {
  const [, region = '', streamName = ''] = STREAM_ARN.exec(streamArn) ?? []
  return { region, streamName }
}

function matches(value: Json | undefined, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value)
}

function refuse(reason: string): never {
  throw new ConfigurationError(`Cannot read from Kinesis: ${reason}`)
}
