/**
 * The members that every S3 configuration has (`S3DestinationConfiguration`), be it a destination of
 * its own or the backup of another.
 *
 * A stored configuration has every default written out. Creating is changing the defaults, so that
 * one set of rules serves both: members that were not given stay; BufferingHints and
 * CloudWatchLoggingOptions are merged member by member; all else is replaced. An empty string is
 * given; only what is absent is not.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Json, JsonObject } from '../base/json.ts'
import type { ConfigurationContext } from '../destination.ts'
import { ConfigurationError } from '../destination.ts'
import type { CompressionFormat } from '../formats/compression.ts'
import { COMPRESSION_FORMATS } from '../formats/compression.ts'
import type { Prefixes } from './prefixes.ts'
import { compilePrefixes, sampleEvaluations } from './prefixes.ts'

/** As stored. */
export type S3Configuration = {
  readonly RoleARN: string
  readonly BucketARN: string
  readonly Prefix?: string
  readonly ErrorOutputPrefix?: string
  readonly BufferingHints: {
    /** MiB of uncompressed data. */
    readonly SizeInMBs: number
    readonly IntervalInSeconds: number
  }
  readonly CompressionFormat: CompressionFormat
  readonly EncryptionConfiguration: {
    readonly NoEncryptionConfig?: 'NoEncryption'
    readonly KMSEncryptionConfig?: { readonly AWSKMSKeyARN: string }
  }
  readonly CloudWatchLoggingOptions: {
    readonly Enabled: boolean
    readonly LogGroupName?: string
    readonly LogStreamName?: string
  }
}

export const S3_DEFAULTS: JsonObject = {
  BufferingHints: { SizeInMBs: 5, IntervalInSeconds: 300 },
  CompressionFormat: 'UNCOMPRESSED',
  EncryptionConfiguration: { NoEncryptionConfig: 'NoEncryption' },
  CloudWatchLoggingOptions: { Enabled: false },
}

const MEMBERS = [
  'RoleARN',
  'BucketARN',
  'Prefix',
  'ErrorOutputPrefix',
  'BufferingHints',
  'CompressionFormat',
  'EncryptionConfiguration',
  'CloudWatchLoggingOptions',
]

const SIZE_IN_MBS_MAX = 128
const INTERVAL_IN_SECONDS_MAX = 900
/** File systems take 255, of which the longest stream's name with time and UUID takes 132. */
const FOLDER_NAME_BYTES_MAX = 100

/** The part of a configuration that every S3 configuration has. */
export function s3Members(configuration: JsonObject): JsonObject {
  const given = MEMBERS.filter((member) => configuration[member] !== undefined)
  return Object.fromEntries(given.map((member) => [member, configuration[member]]))
}

/** `stored` (or `S3_DEFAULTS`) with the changes made; not yet checked. */
export function mergeS3Members(stored: JsonObject, changes: JsonObject): JsonObject {
  const encryption = changes.EncryptionConfiguration ?? stored.EncryptionConfiguration
  const saysNothing = isDeepStrictEqual(encryption, {})
  return {
    ...s3Members(stored),
    ...s3Members(changes),
    EncryptionConfiguration: saysNothing ? S3_DEFAULTS.EncryptionConfiguration : encryption,
    BufferingHints: mergeMembers(stored.BufferingHints, changes.BufferingHints),
    CloudWatchLoggingOptions: mergeMembers(
      stored.CloudWatchLoggingOptions,
      changes.CloudWatchLoggingOptions,
    ),
  }
}

/** Two structures of which either may be absent, member by member; what is changed wins. */
export function mergeMembers(stored: Json | undefined, changes: Json | undefined): JsonObject {
  return { ...(stored as JsonObject | undefined), ...(changes as JsonObject | undefined) }
}

/** What the prefixes depend on besides themselves. */
export interface PrefixRules {
  readonly timeZone: string
  readonly dynamicPartitioning: boolean
}

/** @throws ConfigurationError */
export function s3Prefixes(configuration: S3Configuration, rules: PrefixRules): Prefixes {
  const { Prefix = '', ErrorOutputPrefix = '' } = configuration
  return compilePrefixes({ Prefix, ErrorOutputPrefix, ...rules })
}

/** `arn:aws:s3:::bucket` names `bucket`. */
export function bucketOf({ BucketARN }: S3Configuration): string {
  return BucketARN.slice(BucketARN.lastIndexOf(':') + 1)
}

/**
 * The rules that lie in more than one member's shape. Presence, types, lengths and patterns were
 * checked against the model before.
 * @throws ConfigurationError
 */
export function checkS3Configuration(
  configuration: S3Configuration,
  rules: PrefixRules,
  { strictAws, objectStoreKind }: ConfigurationContext,
): void {
  const { SizeInMBs, IntervalInSeconds } = configuration.BufferingHints
  checkRange('BufferingHints.SizeInMBs', SizeInMBs, 1, SIZE_IN_MBS_MAX)
  checkRange('BufferingHints.IntervalInSeconds', IntervalInSeconds, 0, INTERVAL_IN_SECONDS_MAX)
  checkCompression(configuration.CompressionFormat, strictAws)
  checkEncryption(configuration.EncryptionConfiguration, objectStoreKind)
  checkLogging(configuration.CloudWatchLoggingOptions)
  const prefixes = s3Prefixes(configuration, rules)
  if (objectStoreKind === 'folder') checkFolders(prefixes)
}

function checkRange(member: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return
  throw new ConfigurationError(`${member} must be between ${min} and ${max}`)
}

function checkCompression(format: CompressionFormat, strictAws: boolean): void {
  const known = Object.hasOwn(COMPRESSION_FORMATS, format)
  if (known && !(strictAws && format === 'ZSTD')) return
  throw new ConfigurationError(`Invalid CompressionFormat '${format}'`)
}

function checkEncryption(
  { NoEncryptionConfig, KMSEncryptionConfig }: S3Configuration['EncryptionConfiguration'],
  objectStoreKind: ConfigurationContext['objectStoreKind'],
): void {
  if (KMSEncryptionConfig === undefined) return
  if (NoEncryptionConfig !== undefined) {
    throw new ConfigurationError(
      'Only one of NoEncryptionConfig and KMSEncryptionConfig can be specified',
    )
  }
  if (objectStoreKind === 'folder') {
    throw new ConfigurationError('KMSEncryptionConfig is not supported where buckets are folders')
  }
}

/** The model: group and stream are "required if CloudWatch logging is enabled". */
function checkLogging(options: S3Configuration['CloudWatchLoggingOptions']): void {
  const { Enabled, LogGroupName = '', LogStreamName = '' } = options
  if (!Enabled || (LogGroupName !== '' && LogStreamName !== '')) return
  throw new ConfigurationError(
    'LogGroupName and LogStreamName must be specified when CloudWatchLoggingOptions is enabled',
  )
}

/** What stands between two slashes is a file's name in a folder; the last such also holds the rest. */
function checkFolders({ prefix, errorOutputPrefix }: Prefixes): void {
  for (const evaluated of [...sampleEvaluations(prefix), ...sampleEvaluations(errorOutputPrefix)]) {
    const part = evaluated
      .split('/')
      .find((name) => Buffer.byteLength(name) > FOLDER_NAME_BYTES_MAX)
    if (part === undefined) continue
    throw new ConfigurationError(
      `The prefix part '${part}' is too long where buckets are folders: at most ${FOLDER_NAME_BYTES_MAX} bytes`,
    )
  }
}
