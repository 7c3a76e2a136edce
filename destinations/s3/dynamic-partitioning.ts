/**
 * Dynamic partitioning: which configurations go with it. The Prefix names the partition keys that
 * objects are parted by, and each must come from a processor that is there. What a jq query makes is
 * read off its text as far as that goes (query-keys.ts); what a function answers is known later.
 *
 * It may be switched on and off in an update, and its buffers may be as small as those of any stream.
 * With the limits of AWS it is decided at create, with buffers of 64 MiB and a minute at least.
 */
import type { JsonObject } from '../../src/base/json.ts'
import type { ConfigurationContext } from '../../src/destination.ts'
import { ConfigurationError } from '../../src/destination.ts'
import { partitionKeyNames } from '../../src/objects/partition-rules.ts'
import { parsePrefix } from '../../src/objects/prefix-expression.ts'
import { mergeMembers } from '../../src/objects/s3-configuration.ts'
import type { S3Configuration } from '../../src/objects/s3-configuration.ts'
import { enabledProcessor } from '../../src/processors/processing-configuration.ts'
import type { ProcessingConfiguration } from '../../src/processors/processing-configuration.ts'
import { parameterValue } from '../../src/processors/processor-parameters.ts'
import { queryKeys } from '../../src/processors/partitioning/query-keys.ts'

/** As stored. */
export type DynamicPartitioning = {
  readonly Enabled: boolean
  readonly RetryOptions: { readonly DurationInSeconds: number }
}

/** The part of a destination's configuration that partitioning is about. */
export type PartitionedConfiguration = Pick<S3Configuration, 'Prefix' | 'BufferingHints'> & {
  readonly ProcessingConfiguration?: ProcessingConfiguration
  readonly DynamicPartitioningConfiguration?: DynamicPartitioning
}

const RETRY_OPTIONS = { DurationInSeconds: 300 }
const RETRY_SECONDS_MAX = 7_200
const QUERY_KEY_COUNT_MAX = 50
const STRICT_SIZE_IN_MBS_MIN = 64
const STRICT_INTERVAL_IN_SECONDS_MIN = 60

/** Merged member by member. Omitted Enabled is off at create; in an update it stays as it was. */
export function mergeDynamicPartitioning(
  stored: DynamicPartitioning | undefined,
  given: JsonObject,
): JsonObject {
  const retryOptions = mergeMembers(stored?.RetryOptions ?? RETRY_OPTIONS, given.RetryOptions)
  return { Enabled: stored?.Enabled ?? false, ...given, RetryOptions: retryOptions }
}

export function isPartitioned({
  DynamicPartitioningConfiguration,
}: PartitionedConfiguration): boolean {
  return DynamicPartitioningConfiguration?.Enabled === true
}

/**
 * The rules beyond those of prefixes as such (prefixes.ts).
 * @throws ConfigurationError
 */
export function checkDynamicPartitioning(
  configuration: PartitionedConfiguration,
  { strictAws }: ConfigurationContext,
): void {
  const { DynamicPartitioningConfiguration: partitioning, ProcessingConfiguration: processing } =
    configuration
  const retrySeconds = partitioning?.RetryOptions.DurationInSeconds ?? 0
  if (retrySeconds < 0 || retrySeconds > RETRY_SECONDS_MAX) {
    throw new ConfigurationError(
      `RetryOptions.DurationInSeconds must be between 0 and ${RETRY_SECONDS_MAX}`,
    )
  }
  if (isPartitioned(configuration)) {
    checkKeys(configuration)
    if (strictAws) checkBufferingHints(configuration)
  } else if (enabledProcessor(processing, 'MetadataExtraction') !== undefined) {
    throw new ConfigurationError(
      'MetadataExtraction processor can only be present when Dynamic Partitioning is enabled.',
    )
  }
}

/** @throws ConfigurationError with the limits of AWS, when it would be switched on or off */
export function checkPartitioningUpdate(
  before: PartitionedConfiguration,
  after: PartitionedConfiguration,
  { strictAws }: ConfigurationContext,
): void {
  if (!strictAws || isPartitioned(before) === isPartitioned(after)) return
  throw new ConfigurationError(
    'Dynamic Partitioning can only be enabled when a Firehose is created, and not disabled',
  )
}

function checkKeys(configuration: PartitionedConfiguration): void {
  const { Prefix = '', ProcessingConfiguration: processing } = configuration
  const parts = parsePrefix(Prefix)
  const fromQuery = partitionKeyNames(parts, 'partitionKeyFromQuery')
  const fromLambda = partitionKeyNames(parts, 'partitionKeyFromLambda')
  if (fromQuery.length + fromLambda.length === 0) {
    throw new ConfigurationError(
      'Prefix must contain Dynamic Partitioning Namespaces when Dynamic Partitioning is enabled.',
    )
  }
  if (fromLambda.length > 0 && enabledProcessor(processing, 'Lambda') === undefined) {
    throw new ConfigurationError(
      'Prefix uses partitionKeyFromLambda, but there is no Lambda processor',
    )
  }
  if (fromLambda.length > 0 && enabledProcessor(processing, 'SQL') !== undefined) {
    throw new ConfigurationError(
      'Prefix uses partitionKeyFromLambda, but the rows of a SQL processor have no keys of a Lambda',
    )
  }
  const extraction = enabledProcessor(processing, 'MetadataExtraction')
  if (extraction !== undefined) {
    checkQuery(parameterValue(extraction, 'MetadataExtractionQuery') ?? '', fromQuery)
  } else if (fromQuery.length > 0) {
    throw new ConfigurationError(
      'Prefix uses partitionKeyFromQuery, but there is no MetadataExtraction processor',
    )
  }
}

function checkQuery(query: string, fromQuery: readonly string[]): void {
  if (fromQuery.length === 0) {
    throw new ConfigurationError(
      'Prefix must contain the partition keys of MetadataExtractionQuery as partitionKeyFromQuery',
    )
  }
  const made = queryKeys(query)
  if (made === undefined) return
  if (made.size > QUERY_KEY_COUNT_MAX) {
    throw new ConfigurationError(
      `MetadataExtractionQuery cannot have more than ${QUERY_KEY_COUNT_MAX} partition keys`,
    )
  }
  const missing = fromQuery.find((key) => !made.has(key))
  if (missing !== undefined) {
    throw new ConfigurationError(
      `Prefix contains !{partitionKeyFromQuery:${missing}}, but MetadataExtractionQuery has no key ${missing}`,
    )
  }
  const unused = [...made].find((key) => !fromQuery.includes(key))
  if (unused !== undefined) {
    throw new ConfigurationError(
      `Prefix must contain !{partitionKeyFromQuery:${unused}}, for MetadataExtractionQuery has the key ${unused}`,
    )
  }
}

function checkBufferingHints({ BufferingHints }: PartitionedConfiguration): void {
  const { SizeInMBs, IntervalInSeconds } = BufferingHints
  if (SizeInMBs < STRICT_SIZE_IN_MBS_MIN) {
    throw new ConfigurationError(
      `BufferingHints.SizeInMBs must be at least ${STRICT_SIZE_IN_MBS_MIN} when Dynamic Partitioning is enabled.`,
    )
  }
  if (IntervalInSeconds < STRICT_INTERVAL_IN_SECONDS_MIN) {
    throw new ConfigurationError(
      `BufferingHints.IntervalInSeconds must be at least ${STRICT_INTERVAL_IN_SECONDS_MIN} when Dynamic Partitioning is enabled.`,
    )
  }
}
