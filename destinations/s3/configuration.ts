/**
 * The configuration of an S3 destination. S3DestinationConfiguration is the older and smaller form of
 * ExtendedS3DestinationConfiguration: a stream made or updated with either is the same thing, and is
 * described as both.
 *
 * The stored form has every default written out, so that to create is to change the defaults. How the
 * members of an S3 configuration merge, its backup's too, is said in s3-configuration.ts. Besides
 * these, ProcessingConfiguration, FileExtension and CustomTimeZone are replaced; dynamic partitioning
 * and data format conversion are merged member by member.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Json, JsonObject } from '../../src/base/json.ts'
import type { BufferingLimits, ConfigurationContext } from '../../src/destination.ts'
import { ConfigurationError } from '../../src/destination.ts'
import type { PrefixRules, S3Configuration } from '../../src/objects/s3-configuration.ts'
import {
  checkS3Configuration,
  mergeS3Members,
  S3_DEFAULTS,
  s3Members,
} from '../../src/objects/s3-configuration.ts'
import { replaceFormatConversion } from '../../src/processors/conversion/conversion-configuration.ts'
import type { ProcessingConfiguration } from '../../src/processors/processing-configuration.ts'
import {
  checkProcessingUpdate,
  recordDelimiter,
  replaceProcessing,
} from '../../src/processors/processing-configuration.ts'
import type { DynamicPartitioning } from './dynamic-partitioning.ts'
import {
  checkDynamicPartitioning,
  checkPartitioningUpdate,
  isPartitioned,
  mergeDynamicPartitioning,
} from './dynamic-partitioning.ts'

/** As stored. */
export type ExtendedS3Configuration = S3Configuration & {
  readonly ProcessingConfiguration?: ProcessingConfiguration
  readonly S3BackupMode: 'Disabled' | 'Enabled'
  readonly S3BackupConfiguration?: S3Configuration
  readonly DataFormatConversionConfiguration?: JsonObject & { readonly Enabled: boolean }
  readonly DynamicPartitioningConfiguration?: DynamicPartitioning
  /** Takes the place of the compression format's own; empty: none given. */
  readonly FileExtension?: string
  /** An IANA zone or `UTC`; empty: none given. */
  readonly CustomTimeZone: string
}

const DEFAULTS: JsonObject = { ...S3_DEFAULTS, S3BackupMode: 'Disabled', CustomTimeZone: 'UTC' }
/** What is parted or laid out in columns comes in larger objects. */
const LARGE_DEFAULTS: JsonObject = {
  ...DEFAULTS,
  BufferingHints: { SizeInMBs: 128, IntervalInSeconds: 300 },
}

const FILE_EXTENSION = /^(?:\.[0-9a-z!\-_.*'()]+)?$/
const BACKUP_INTERVAL_IN_SECONDS_MIN = 60
const CONVERTED_SIZE_IN_MBS_MIN = 64
const MIB = 1024 * 1024

/** @throws ConfigurationError */
export function createConfiguration(
  given: JsonObject,
  context: ConfigurationContext,
): ExtendedS3Configuration {
  const { S3BackupConfiguration, ...members } = given
  const created = merge(DEFAULTS, members, S3BackupConfiguration, context)
  if (!isPartitioned(created) && !isConverted(created)) return checked(created, context)
  return checked(merge(LARGE_DEFAULTS, members, S3BackupConfiguration, context), context)
}

/**
 * The stored configuration itself when nothing changes.
 * @throws ConfigurationError
 */
export function updateConfiguration(
  stored: ExtendedS3Configuration,
  given: JsonObject,
  context: ConfigurationContext,
): ExtendedS3Configuration {
  const { S3BackupUpdate, ...members } = given
  const updated = checked(merge(stored, members, S3BackupUpdate, context), context)
  if (stored.S3BackupMode === 'Enabled' && updated.S3BackupMode === 'Disabled') {
    throw new ConfigurationError('Disabling S3 backup is not currently supported.')
  }
  checkPartitioningUpdate(stored, updated, context)
  checkProcessingUpdate(stored.ProcessingConfiguration, updated.ProcessingConfiguration, context)
  return isDeepStrictEqual(updated, stored) ? stored : updated
}

/** Members of DestinationDescription. */
export function describeConfiguration(stored: ExtendedS3Configuration): JsonObject {
  const { S3BackupConfiguration, ...extended } = stored
  const backup = S3BackupConfiguration && { S3BackupDescription: S3BackupConfiguration }
  return {
    S3DestinationDescription: s3Members(stored),
    ExtendedS3DestinationDescription: { ...extended, ...backup },
  }
}

export function bufferingLimits({ BufferingHints }: ExtendedS3Configuration): BufferingLimits {
  return {
    sizeBytesMax: BufferingHints.SizeInMBs * MIB,
    ageMsMax: BufferingHints.IntervalInSeconds * 1000,
  }
}

export function prefixRules(configuration: ExtendedS3Configuration): PrefixRules {
  return {
    timeZone: configuration.CustomTimeZone || 'UTC',
    dynamicPartitioning: isPartitioned(configuration),
  }
}

/** A backup's configuration has no zone of its own, and its records are not partitioned. */
export const BACKUP_PREFIX_RULES: PrefixRules = { timeZone: 'UTC', dynamicPartitioning: false }

function merge(
  stored: JsonObject,
  given: JsonObject,
  backup: Json | undefined,
  { strictAws }: ConfigurationContext,
): ExtendedS3Configuration {
  const before = stored as ExtendedS3Configuration
  const merged: Record<string, Json | undefined> = {
    ...stored,
    ...given,
    ...mergeS3Members(stored, given),
  }
  if (given.DataFormatConversionConfiguration !== undefined) {
    merged.DataFormatConversionConfiguration = replaceFormatConversion(
      before.DataFormatConversionConfiguration,
      given.DataFormatConversionConfiguration as JsonObject,
    )
  }
  if (given.DynamicPartitioningConfiguration !== undefined) {
    merged.DynamicPartitioningConfiguration = mergeDynamicPartitioning(
      before.DynamicPartitioningConfiguration,
      given.DynamicPartitioningConfiguration as JsonObject,
    )
  }
  if (given.ProcessingConfiguration !== undefined) {
    merged.ProcessingConfiguration = replaceProcessing(
      before.ProcessingConfiguration,
      given.ProcessingConfiguration as JsonObject,
      {
        roleArn: (merged as ExtendedS3Configuration).RoleARN,
        lambdaBufferSizeInMBs: '1',
        canBePartitioned: true,
        strictAws,
      },
    )
  }
  if (backup !== undefined) {
    const storedBackup = stored.S3BackupConfiguration ?? S3_DEFAULTS
    merged.S3BackupConfiguration = mergeS3Members(storedBackup as JsonObject, backup as JsonObject)
  }
  return merged as ExtendedS3Configuration
}

function checked(
  configuration: ExtendedS3Configuration,
  context: ConfigurationContext,
): ExtendedS3Configuration {
  if (!FILE_EXTENSION.test(configuration.FileExtension ?? '')) {
    throw new ConfigurationError(`Invalid FileExtension '${configuration.FileExtension}'`)
  }
  checkDynamicPartitioning(configuration, context)
  if (isConverted(configuration)) checkConverted(configuration, context)
  checkS3Configuration(configuration, prefixRules(configuration), context)
  checkBackup(configuration, context)
  return configuration
}

function isConverted({ DataFormatConversionConfiguration }: ExtendedS3Configuration): boolean {
  return DataFormatConversionConfiguration?.Enabled === true
}

/** What data format conversion asks of the other members. */
function checkConverted(
  { CompressionFormat, BufferingHints, ProcessingConfiguration }: ExtendedS3Configuration,
  { strictAws }: ConfigurationContext,
): void {
  if (CompressionFormat !== 'UNCOMPRESSED') {
    throw new ConfigurationError(
      'CompressionFormat must be UNCOMPRESSED when data format conversion is enabled.',
    )
  }
  if (strictAws && BufferingHints.SizeInMBs < CONVERTED_SIZE_IN_MBS_MIN) {
    throw new ConfigurationError(
      `BufferingHints.SizeInMBs must be at least ${CONVERTED_SIZE_IN_MBS_MIN} when data format conversion is enabled.`,
    )
  }
  if (recordDelimiter(ProcessingConfiguration) !== undefined) {
    throw new ConfigurationError(
      'AppendDelimiterToRecord is not supported with data format conversion: Parquet has no delimiter',
    )
  }
}

function checkBackup(
  { S3BackupMode, S3BackupConfiguration }: ExtendedS3Configuration,
  context: ConfigurationContext,
): void {
  if (S3BackupConfiguration === undefined) {
    if (S3BackupMode === 'Disabled') return
    throw new ConfigurationError(
      'S3BackupConfiguration must be specified when S3BackupMode is Enabled',
    )
  }
  const { RoleARN, BucketARN, BufferingHints } = S3BackupConfiguration as Partial<S3Configuration>
  if (RoleARN === undefined || BucketARN === undefined) {
    throw new ConfigurationError('S3BackupConfiguration must have a RoleARN and a BucketARN')
  }
  const { IntervalInSeconds = 0 } = BufferingHints ?? {}
  if (context.strictAws && IntervalInSeconds < BACKUP_INTERVAL_IN_SECONDS_MIN) {
    throw new ConfigurationError(
      `BufferingHints.IntervalInSeconds of a backup must be at least ${BACKUP_INTERVAL_IN_SECONDS_MIN}`,
    )
  }
  checkS3Configuration(S3BackupConfiguration, BACKUP_PREFIX_RULES, context)
}
