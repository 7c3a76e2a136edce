/**
 * KinesisStreamSourceConfiguration: AWS's KinesisStreamARN and RoleARN, and as extensions where reading
 * begins (starting-position.ts) and whether it goes by enhanced fan-out (EnhancedFanOutConsumerName).
 */
import { strict as assert } from 'node:assert'
import type { Json, JsonObject } from '../../base/json.ts'
import { ConfigurationError } from '../../destination.ts'
import { describeStart, startingPosition, startMs } from '../starting-position.ts'

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
    ...startingPosition(configuration, createdAtMs, refuse),
    ...(consumer === undefined ? {} : { EnhancedFanOutConsumerName: consumer }),
  }
}

export function describeConfiguration(stored: JsonObject): JsonObject {
  const { KinesisStreamARN, RoleARN, EnhancedFanOutConsumerName } = stored
  return {
    KinesisStreamSourceDescription: {
      KinesisStreamARN,
      RoleARN,
      ...describeStart(stored),
      ...(EnhancedFanOutConsumerName === undefined ? {} : { EnhancedFanOutConsumerName }),
    },
  }
}

export function readConfiguration(stored: JsonObject): KinesisConfiguration {
  const { KinesisStreamARN, EnhancedFanOutConsumerName } = stored
  const atMs = startMs(stored)
  assert(typeof KinesisStreamARN === 'string', 'it was checked when the stream was made')
  return {
    streamArn: KinesisStreamARN,
    beginning: atMs === undefined ? { type: 'TRIM_HORIZON' } : { type: 'AT_TIMESTAMP', atMs },
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
