/**
 * RedisStreamSourceConfiguration, an extension. Password and certificates are the host's (Connections);
 * where reading begins is as for Kinesis (starting-position.ts).
 */
import { parseRedisPlace, PlaceError } from '../../backend.ts'
import type { RedisPlace } from '../../backend.ts'
import type { Json, JsonObject } from '../../base/json.ts'
import { ConfigurationError } from '../../destination.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import { describeStart, startingPosition, startMs } from '../starting-position.ts'
import { ID_MIN, idBefore } from './entry-id.ts'
import { RECORD_FORMATS } from './entry-record.ts'
import type { RecordFormat } from './entry-record.ts'

const MEMBERS = [
  'RedisUrl',
  'StreamKeys',
  'ConsumerGroup',
  'RecordFormat',
  'StartingPosition',
  'StartingTimestamp',
]
const STREAM_KEY_COUNT_MAX = 100
/** A partition's name is as long at most. */
const NAME_LENGTH_MAX = 512
const PLAIN_URL = /^rediss?:\/\/[^?#\s]+$/

export interface RedisStreamConfiguration {
  readonly url: string
  readonly keys: readonly string[]
  readonly group: string
  readonly format: RecordFormat
  /** What is read first is the entry after this id. */
  readonly startId: string
}

/** @throws ConfigurationError */
export function createConfiguration(given: JsonObject, createdAtMs: number): JsonObject {
  const unknown = Object.keys(given).find((member) => !MEMBERS.includes(member))
  if (unknown !== undefined) refuse(`there is no ${unknown}`)
  const { RedisUrl, StreamKeys, ConsumerGroup, RecordFormat = 'VALUE' } = given
  checkUrl(RedisUrl)
  checkKeys(StreamKeys)
  if (ConsumerGroup !== undefined && !isName(ConsumerGroup)) {
    refuse(`ConsumerGroup must have 1 to ${NAME_LENGTH_MAX} characters`)
  }
  if (!(RECORD_FORMATS as readonly Json[]).includes(RecordFormat)) {
    refuse(`RecordFormat must be ${RECORD_FORMATS.join(' or ')}`)
  }
  return {
    RedisUrl,
    StreamKeys,
    ...(ConsumerGroup !== undefined && { ConsumerGroup }),
    RecordFormat,
    ...startingPosition(given, createdAtMs, refuse),
  }
}

function checkUrl(url: Json | undefined): void {
  if (typeof url !== 'string' || !PLAIN_URL.test(url)) {
    refuse('RedisUrl must be redis://host[:port][/database], or rediss:// for TLS')
  }
  const { password } = placeOf(url)
  if (password !== undefined) {
    refuse('RedisUrl has a password; it belongs into the connections of the settings')
  }
}

function checkKeys(keys: Json | undefined): void {
  const isList = Array.isArray(keys) && keys.length > 0 && keys.length <= STREAM_KEY_COUNT_MAX
  if (!isList || !keys.every(isName)) {
    refuse(
      `StreamKeys must be 1 to ${STREAM_KEY_COUNT_MAX} keys of 1 to ${NAME_LENGTH_MAX} characters`,
    )
  }
  if (new Set(keys).size < keys.length) refuse('StreamKeys names a key twice')
}

function isName(value: Json): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= NAME_LENGTH_MAX
}

export function describeConfiguration(stored: JsonObject): JsonObject {
  const { StartingPosition: _position, StartingTimestamp: _timestamp, ...others } = stored
  return {
    RedisStreamSourceDescription: {
      ...others,
      ...describeStart(stored),
    },
  }
}

export function readConfiguration({
  name,
  streamId,
  source = {},
}: Pick<DeliveryStream, 'name' | 'streamId' | 'source'>): RedisStreamConfiguration {
  const { RedisUrl, StreamKeys, ConsumerGroup, RecordFormat } = source
  const atMs = startMs(source)
  return {
    url: RedisUrl as string,
    keys: StreamKeys as string[],
    group:
      typeof ConsumerGroup === 'string'
        ? ConsumerGroup
        : `standpipe-${name}-${streamId.slice(0, 8)}`,
    format: RecordFormat as RecordFormat,
    startId: atMs === undefined ? ID_MIN : idBefore(atMs),
  }
}

/** @throws ConfigurationError */
export function placeOf(url: string): RedisPlace {
  try {
    return parseRedisPlace(url)
  } catch (error) {
    if (error instanceof PlaceError) refuse(`RedisUrl: ${error.message}`)
    throw error
  }
}

function refuse(reason: string): never {
  throw new ConfigurationError(`Cannot read from Redis streams: ${reason}`)
}
