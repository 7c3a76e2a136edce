/** Where the objects of a replay are, by the stream's configuration or as the caller says. */
import type { DeliveryStream } from '../delivery-stream.ts'
import type { ListedObject } from '../object-store.ts'
import { keyPattern } from '../objects/key-pattern.ts'
import { parsePrefixes } from '../objects/prefixes.ts'
import type { S3Configuration } from '../objects/s3-configuration.ts'
import { bucketOf } from '../objects/s3-configuration.ts'
import { ReplayRefused } from '../replay.ts'
import type { ReplayRequest } from '../replay.ts'

export interface ReplaySource {
  readonly bucket: string
  /** What is listed. */
  readonly prefix: string
  /** Of what is listed, whether it belongs to the source. */
  readonly isMeant: (key: string) => boolean
}

/** The members of stored destinations that say where S3 objects go. */
interface S3Places {
  readonly S3BackupMode?: string
  readonly S3Configuration?: S3Configuration
  readonly S3BackupConfiguration?: S3Configuration
}

/** @throws ReplayRefused when the stream keeps no such objects, or they say no error codes */
export function sourceOf({ stream, source, format, errorCode }: ReplayRequest): ReplaySource {
  if (format === 'records' && errorCode !== undefined) {
    throw new ReplayRefused('impossible', 'Cannot select by error code: plain records have none')
  }
  if (source !== undefined) return { ...source, isMeant: () => true }
  return format === 'records' ? backupOf(stream) : errorOutputOf(stream)
}

function errorOutputOf({ destination }: DeliveryStream): ReplaySource {
  const places = destination as S3Places
  const configuration = places.S3Configuration ?? (destination as unknown as S3Configuration)
  const { literal, pattern } = keyPattern(parsePrefixes(configuration).errorOutputPrefix)
  return {
    bucket: bucketOf(configuration),
    prefix: literal,
    isMeant: (key) => pattern.test(key),
  }
}

function backupOf({ name, destination }: DeliveryStream): ReplaySource {
  const { S3BackupMode, S3Configuration, S3BackupConfiguration } = destination as S3Places
  const configuration = S3BackupConfiguration ?? S3Configuration
  const isKept = S3BackupMode !== undefined && ALL_RECORDS.has(S3BackupMode)
  if (configuration === undefined || !isKept) {
    throw new ReplayRefused('impossible', `Cannot replay the backup of ${name}: it keeps none`)
  }
  const { prefix, errorOutputPrefix } = parsePrefixes(configuration)
  const { literal, pattern } = keyPattern(prefix)
  const { pattern: errorPattern } = keyPattern(errorOutputPrefix)
  return {
    bucket: bucketOf(configuration),
    prefix: literal,
    isMeant: (key) => pattern.test(key) && !errorPattern.test(key),
  }
}

const ALL_RECORDS: ReadonlySet<string> = new Set([
  'Enabled',
  'AllData',
  'AllDocuments',
  'AllEvents',
])

const KEY_TIME =
  /-(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/

/** When the records of an object came: what its name says if Firehose gave it, else its last change. */
export function objectTimeMs({ key, lastModifiedMs }: ListedObject): number {
  const [, year, month, day, hour, minute, second] = KEY_TIME.exec(key)?.map(Number) ?? []
  if (year === undefined || month === undefined) return lastModifiedMs
  return Date.UTC(year, month - 1, day, hour, minute, second)
}
