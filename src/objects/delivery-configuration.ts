/**
 * The members that the configurations of all destinations but S3 have in common: buffering, retry
 * duration, the S3 configuration for what failed (or for all), processing and logging.
 *
 * Stored with every default written out, like an S3 configuration (s3-configuration.ts): to create is
 * to change the defaults. BufferingHints, RetryOptions, CloudWatchLoggingOptions and
 * SecretsManagerConfiguration merge member by member, the S3 configuration by its own rules, and all
 * else is replaced. On the wire the S3 configuration is `S3Configuration` in a create request,
 * `S3Update` in an update and `S3DestinationDescription` when described; here it is `S3Configuration`.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Json, JsonObject } from '../base/json.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { BufferingLimits, ConfigurationContext } from '../destination.ts'
import { ConfigurationError } from '../destination.ts'
import type { ProcessingConfiguration } from '../processors/processing-configuration.ts'
import { checkProcessingUpdate, replaceProcessing } from '../processors/processing-configuration.ts'
import { planObject } from './object-plan.ts'
import type { ObjectPlan } from './object-plan.ts'
import type { PrefixRules, S3Configuration } from './s3-configuration.ts'
import {
  checkS3Configuration,
  mergeMembers,
  mergeS3Members,
  S3_DEFAULTS,
} from './s3-configuration.ts'

/** As stored. */
export type DeliveryConfiguration = {
  readonly RoleARN?: string
  readonly BufferingHints: { readonly SizeInMBs: number; readonly IntervalInSeconds: number }
  readonly RetryOptions: { readonly DurationInSeconds: number }
  readonly S3BackupMode: string
  readonly S3Configuration: S3Configuration
  readonly ProcessingConfiguration?: ProcessingConfiguration
  readonly SecretsManagerConfiguration?: {
    readonly Enabled: boolean
    readonly SecretARN?: string
    readonly RoleARN?: string
  }
}

/** What differs from destination to destination. */
export interface DeliveryRules {
  readonly sizeInMBs: { readonly default: number; readonly max: number }
  readonly intervalInSeconds: { readonly default: number; readonly max: number }
  /** Default of RetryOptions.DurationInSeconds. */
  readonly retrySeconds: number
  /** Values of S3BackupMode: only what failed (the default), and all. */
  readonly backupModes: readonly [failedOnly: string, all: string]
  /** What an update may do to S3BackupMode; absent: nothing. */
  readonly backupModeUpdates?: 'to-all' | 'any'
  /** Default of a Lambda processor's BufferSizeInMBs; absent: 1. */
  readonly lambdaBufferSizeInMBs?: '0.25'
}

const RETRY_SECONDS_MAX = 7_200
const MIB = 1024 * 1024
const MERGED_MEMBERS = ['BufferingHints', 'RetryOptions', 'SecretsManagerConfiguration']

/** What goes to S3 besides the destination's own outputs is named in UTC. */
export const DELIVERY_PREFIX_RULES: PrefixRules = { timeZone: 'UTC', dynamicPartitioning: false }

/**
 * The stored form: all members that were given, checked as far as they are common ones.
 * @throws ConfigurationError
 */
export function createDelivery(
  given: JsonObject,
  rules: DeliveryRules,
  context: ConfigurationContext,
): JsonObject {
  const { S3Configuration: s3, ...members } = given
  const defaults: JsonObject = {
    BufferingHints: {
      SizeInMBs: rules.sizeInMBs.default,
      IntervalInSeconds: rules.intervalInSeconds.default,
    },
    RetryOptions: { DurationInSeconds: rules.retrySeconds },
    S3BackupMode: rules.backupModes[0],
    CloudWatchLoggingOptions: { Enabled: false },
    S3Configuration: S3_DEFAULTS,
  }
  return checked(merge(defaults, members, s3, rules, context), rules, context)
}

/**
 * The stored configuration itself when nothing changes.
 * @throws ConfigurationError
 */
export function updateDelivery(
  stored: JsonObject,
  given: JsonObject,
  rules: DeliveryRules,
  context: ConfigurationContext,
): JsonObject {
  const { S3Update: s3, ...members } = given
  const updated = checked(merge(stored, members, s3, rules, context), rules, context)
  if (updated.S3BackupMode !== stored.S3BackupMode && !mayUpdateBackupMode(updated, rules)) {
    throw new ConfigurationError(
      `S3BackupMode cannot be changed from ${(stored as DeliveryConfiguration).S3BackupMode}`,
    )
  }
  checkProcessingUpdate(
    (stored as DeliveryConfiguration).ProcessingConfiguration,
    (updated as DeliveryConfiguration).ProcessingConfiguration,
    context,
  )
  return isDeepStrictEqual(updated, stored) ? stored : updated
}

/** The stored form as it is described, without the members named. */
export function describeDelivery(stored: JsonObject, secretMembers: readonly string[]): JsonObject {
  const { S3Configuration: s3, ...members } = stored
  const shown = Object.entries(members).filter(([member]) => !secretMembers.includes(member))
  return { ...Object.fromEntries(shown), ...(s3 !== undefined && { S3DestinationDescription: s3 }) }
}

export function deliveryBuffering({ BufferingHints }: DeliveryConfiguration): BufferingLimits {
  return {
    sizeBytesMax: BufferingHints.SizeInMBs * MIB,
    ageMsMax: BufferingHints.IntervalInSeconds * 1_000,
  }
}

/** The object with all records of a batch as they were sent, where S3BackupMode asks for it. */
export function planBackup(
  stream: DeliveryStream,
  rules: DeliveryRules,
  outputIndex: number,
): ObjectPlan | undefined {
  const { S3BackupMode, S3Configuration: configuration } =
    stream.destination as DeliveryConfiguration
  if (S3BackupMode !== rules.backupModes[1]) return undefined
  return planObject(stream, {
    kind: 's3-backup',
    outputIndex,
    accounting: 'copy',
    records: 'accepted',
    configuration,
    prefixRules: DELIVERY_PREFIX_RULES,
  })
}

function mayUpdateBackupMode(updated: JsonObject, rules: DeliveryRules): boolean {
  if (rules.backupModeUpdates === 'any') return true
  return rules.backupModeUpdates === 'to-all' && updated.S3BackupMode === rules.backupModes[1]
}

function merge(
  stored: JsonObject,
  given: JsonObject,
  s3: Json | undefined,
  rules: DeliveryRules,
  { strictAws }: ConfigurationContext,
): JsonObject {
  const merged: Record<string, Json | undefined> = { ...stored, ...given }
  for (const member of [...MERGED_MEMBERS, 'CloudWatchLoggingOptions']) {
    if (given[member] !== undefined) merged[member] = mergeMembers(stored[member], given[member])
  }
  if (s3 !== undefined) {
    merged.S3Configuration = mergeS3Members(stored.S3Configuration as JsonObject, s3 as JsonObject)
  }
  if (given.ProcessingConfiguration !== undefined) {
    const { RoleARN, S3Configuration } = merged as DeliveryConfiguration
    merged.ProcessingConfiguration = replaceProcessing(
      stored.ProcessingConfiguration as ProcessingConfiguration | undefined,
      given.ProcessingConfiguration as JsonObject,
      {
        roleArn: RoleARN ?? S3Configuration.RoleARN,
        lambdaBufferSizeInMBs: rules.lambdaBufferSizeInMBs ?? '1',
        canBePartitioned: false,
        strictAws,
      },
    )
  }
  return merged
}

function checked(
  merged: JsonObject,
  rules: DeliveryRules,
  context: ConfigurationContext,
): JsonObject {
  const configuration = merged as DeliveryConfiguration
  const { SizeInMBs, IntervalInSeconds } = configuration.BufferingHints
  checkRange('BufferingHints.SizeInMBs', SizeInMBs, 1, rules.sizeInMBs.max)
  checkRange('BufferingHints.IntervalInSeconds', IntervalInSeconds, 0, rules.intervalInSeconds.max)
  const { DurationInSeconds } = configuration.RetryOptions
  checkRange('RetryOptions.DurationInSeconds', DurationInSeconds, 0, RETRY_SECONDS_MAX)
  if (!rules.backupModes.includes(configuration.S3BackupMode)) {
    throw new ConfigurationError(`Invalid S3BackupMode '${configuration.S3BackupMode}'`)
  }
  const { Enabled = false, SecretARN } = configuration.SecretsManagerConfiguration ?? {}
  if (Enabled && SecretARN === undefined) {
    throw new ConfigurationError('SecretsManagerConfiguration must have a SecretARN when enabled')
  }
  const { RoleARN, BucketARN } = configuration.S3Configuration as Partial<S3Configuration>
  if (RoleARN === undefined || BucketARN === undefined) {
    throw new ConfigurationError('S3Configuration must have a RoleARN and a BucketARN')
  }
  checkS3Configuration(configuration.S3Configuration, DELIVERY_PREFIX_RULES, context)
  return merged
}

function checkRange(member: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return
  throw new ConfigurationError(`${member} must be between ${min} and ${max}`)
}
