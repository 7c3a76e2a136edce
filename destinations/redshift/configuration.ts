/**
 * The configuration of a Redshift destination, which is also that of any other Postgres: the scheme
 * and host of ClusterJDBCURL say which (jdbc-url.ts).
 *
 * The stored form has every default written out; to create is to change the defaults. RetryOptions,
 * CloudWatchLoggingOptions and SecretsManagerConfiguration merge member by member, the two S3
 * configurations by their own rules (s3-configuration.ts), and all else is replaced. It has no
 * BufferingHints of its own: those of its S3Configuration count.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Json, JsonObject } from '../../src/base/json.ts'
import type { BufferingLimits, ConfigurationContext } from '../../src/destination.ts'
import { ConfigurationError } from '../../src/destination.ts'
import type { PrefixRules, S3Configuration } from '../../src/objects/s3-configuration.ts'
import {
  checkS3Configuration,
  mergeMembers,
  mergeS3Members,
  S3_DEFAULTS,
} from '../../src/objects/s3-configuration.ts'
import type { ProcessingConfiguration } from '../../src/processors/processing-configuration.ts'
import {
  checkProcessingUpdate,
  replaceProcessing,
} from '../../src/processors/processing-configuration.ts'
import { checkRedshiftOptions, namesCompression, parseCopyOptions } from './copy-options.ts'
import { parseJdbcUrl } from './jdbc-url.ts'
import { parseColumnNames, parseTableName } from './table-name.ts'

/** As stored. */
export type RedshiftConfiguration = {
  readonly RoleARN: string
  readonly ClusterJDBCURL: string
  readonly CopyCommand: {
    readonly DataTableName: string
    /** Empty or absent: all columns. */
    readonly DataTableColumns?: string
    readonly CopyOptions?: string
  }
  /** Absent where SecretsManagerConfiguration or the host's connections have it. */
  readonly Username?: string
  readonly Password?: string
  readonly RetryOptions: { readonly DurationInSeconds: number }
  /** Where a batch is staged. */
  readonly S3Configuration: S3Configuration
  readonly S3BackupMode: 'Disabled' | 'Enabled'
  readonly S3BackupConfiguration?: S3Configuration
  readonly ProcessingConfiguration?: ProcessingConfiguration
  readonly CloudWatchLoggingOptions: { readonly Enabled: boolean }
  readonly SecretsManagerConfiguration?: {
    readonly Enabled: boolean
    readonly SecretARN?: string
    readonly RoleARN?: string
  }
}

const DEFAULTS: JsonObject = {
  RetryOptions: { DurationInSeconds: 3_600 },
  S3BackupMode: 'Disabled',
  CloudWatchLoggingOptions: { Enabled: false },
  S3Configuration: S3_DEFAULTS,
}
const MERGED_MEMBERS = ['RetryOptions', 'CloudWatchLoggingOptions', 'SecretsManagerConfiguration']
/** What Redshift's COPY reads. */
const COMPRESSION_FORMATS = ['UNCOMPRESSED', 'GZIP', 'ZSTD']
const MIB = 1024 * 1024

/** Objects are named in UTC. */
export const PREFIX_RULES: PrefixRules = { timeZone: 'UTC', dynamicPartitioning: false }

/** @throws ConfigurationError */
export function createConfiguration(
  given: JsonObject,
  context: ConfigurationContext,
): RedshiftConfiguration {
  const { S3Configuration, S3BackupConfiguration, ...members } = given
  return checked(merge(DEFAULTS, members, S3Configuration, S3BackupConfiguration, context), context)
}

/**
 * The stored configuration itself when nothing changes.
 * @throws ConfigurationError
 */
export function updateConfiguration(
  stored: RedshiftConfiguration,
  given: JsonObject,
  context: ConfigurationContext,
): RedshiftConfiguration {
  const { S3Update, S3BackupUpdate, ...members } = given
  const updated = checked(merge(stored, members, S3Update, S3BackupUpdate, context), context)
  if (stored.S3BackupMode === 'Enabled' && updated.S3BackupMode === 'Disabled') {
    throw new ConfigurationError('Disabling S3 backup is not currently supported.')
  }
  if (dialectOf(stored) !== dialectOf(updated)) {
    throw new ConfigurationError('ClusterJDBCURL cannot change between Redshift and PostgreSQL')
  }
  checkProcessingUpdate(stored.ProcessingConfiguration, updated.ProcessingConfiguration, context)
  return isDeepStrictEqual(updated, stored) ? stored : updated
}

/** Members of DestinationDescription; the password is not among them. */
export function describeConfiguration(stored: RedshiftConfiguration): JsonObject {
  const { Password: _secret, S3Configuration, S3BackupConfiguration, ...shown } = stored
  const backup = S3BackupConfiguration && { S3BackupDescription: S3BackupConfiguration }
  const description = { ...shown, S3DestinationDescription: S3Configuration, ...backup }
  return { RedshiftDestinationDescription: description }
}

export function bufferingLimits({ S3Configuration }: RedshiftConfiguration): BufferingLimits {
  const { SizeInMBs, IntervalInSeconds } = S3Configuration.BufferingHints
  return { sizeBytesMax: SizeInMBs * MIB, ageMsMax: IntervalInSeconds * 1_000 }
}

export function dialectOf({ ClusterJDBCURL }: RedshiftConfiguration): 'redshift' | 'postgres' {
  return parseJdbcUrl(ClusterJDBCURL).dialect
}

function merge(
  stored: JsonObject,
  given: JsonObject,
  s3: Json | undefined,
  backup: Json | undefined,
  { strictAws }: ConfigurationContext,
): JsonObject {
  const merged: Record<string, Json | undefined> = { ...stored, ...given }
  for (const member of MERGED_MEMBERS) {
    if (given[member] !== undefined) merged[member] = mergeMembers(stored[member], given[member])
  }
  if (given.ProcessingConfiguration !== undefined) {
    merged.ProcessingConfiguration = replaceProcessing(
      stored.ProcessingConfiguration as ProcessingConfiguration | undefined,
      given.ProcessingConfiguration as JsonObject,
      {
        roleArn: (merged as RedshiftConfiguration).RoleARN,
        lambdaBufferSizeInMBs: '1',
        canBePartitioned: false,
        strictAws,
      },
    )
  }
  if (s3 !== undefined) {
    merged.S3Configuration = mergeS3Members(stored.S3Configuration as JsonObject, s3 as JsonObject)
  }
  if (backup !== undefined) {
    const storedBackup = stored.S3BackupConfiguration ?? S3_DEFAULTS
    merged.S3BackupConfiguration = mergeS3Members(storedBackup as JsonObject, backup as JsonObject)
  }
  return merged
}

function checked(merged: JsonObject, context: ConfigurationContext): RedshiftConfiguration {
  const configuration = merged as RedshiftConfiguration
  checkCopyCommand(configuration, context)
  checkCredentials(configuration, context)
  checkStaging(configuration, context)
  checkBackup(configuration, context)
  return configuration
}

function checkCopyCommand(
  configuration: RedshiftConfiguration,
  { objectStoreKind }: ConfigurationContext,
): void {
  const { DataTableName, DataTableColumns = '', CopyOptions = '' } = configuration.CopyCommand
  const { CompressionFormat } = configuration.S3Configuration
  parseTableName(DataTableName)
  if (DataTableColumns.trim() !== '') parseColumnNames(DataTableColumns, 'DataTableColumns')
  if (CompressionFormat !== 'UNCOMPRESSED' && !namesCompression(CopyOptions, CompressionFormat)) {
    throw new ConfigurationError(
      `CopyOptions must contain ${CompressionFormat} when CompressionFormat is ${CompressionFormat}`,
    )
  }
  if (dialectOf(configuration) === 'redshift') {
    checkRedshiftOptions(CopyOptions)
    if (objectStoreKind === 's3') return
    throw new ConfigurationError(
      'Redshift is not supported where buckets are folders: it loads from S3',
    )
  }
  const { compression } = parseCopyOptions(CopyOptions)
  if (compression === undefined || compression === CompressionFormat) return
  throw new ConfigurationError(
    `The COPY option ${compression} requires the CompressionFormat ${compression} on PostgreSQL`,
  )
}

function checkCredentials(
  { Username, Password, SecretsManagerConfiguration }: RedshiftConfiguration,
  { strictAws }: ConfigurationContext,
): void {
  const { Enabled = false, SecretARN } = SecretsManagerConfiguration ?? {}
  if (Enabled && SecretARN === undefined) {
    throw new ConfigurationError('SecretsManagerConfiguration must have a SecretARN when enabled')
  }
  if (!strictAws || Enabled || (Username !== undefined && Password !== undefined)) return
  throw new ConfigurationError(
    'Username and Password must be specified when SecretsManagerConfiguration is not enabled',
  )
}

function checkStaging(
  { S3Configuration: configuration }: RedshiftConfiguration,
  context: ConfigurationContext,
): void {
  const { CompressionFormat, Prefix = '', ErrorOutputPrefix = '' } = configuration
  if (!COMPRESSION_FORMATS.includes(CompressionFormat)) {
    throw new ConfigurationError(
      `The CompressionFormat ${CompressionFormat} cannot be specified for a Redshift destination`,
    )
  }
  if (context.strictAws && (Prefix.includes('!{') || ErrorOutputPrefix !== '')) {
    throw new ConfigurationError(
      'Prefix cannot contain expressions and ErrorOutputPrefix must be null for a Redshift destination',
    )
  }
  checkS3Configuration(configuration, PREFIX_RULES, context)
}

function checkBackup(
  { S3BackupMode, S3BackupConfiguration }: RedshiftConfiguration,
  context: ConfigurationContext,
): void {
  if (S3BackupConfiguration === undefined) {
    if (S3BackupMode === 'Disabled') return
    throw new ConfigurationError(
      'S3BackupConfiguration must be specified when S3BackupMode is Enabled',
    )
  }
  const { RoleARN, BucketARN } = S3BackupConfiguration as Partial<S3Configuration>
  if (RoleARN === undefined || BucketARN === undefined) {
    throw new ConfigurationError('S3BackupConfiguration must have a RoleARN and a BucketARN')
  }
  checkS3Configuration(S3BackupConfiguration, PREFIX_RULES, context)
}
