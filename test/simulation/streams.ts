/**
 * The streams of a simulation: two into objects, one into an index, one to an endpoint. In some
 * simulations a function transforms the records of some of them; those of `objects-1` may be taken apart
 * before and partitioned after that.
 */
import { s3 } from '../../destinations/s3/index.ts'
import type { JsonObject } from '../../src/base/json.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import { processingPlan } from '../../src/processors/processing-plan.ts'
import type { ProcessingConfiguration } from '../../src/processors/processing-configuration.ts'
import type { Processor } from '../../src/processors/processor-parameters.ts'
import type { Chance } from './chance.ts'
import { functionArn } from './simulated-functions.ts'

export const RECORD_STREAM_IDS = ['index-2', 'endpoint-3'] as const
export const STREAM_IDS = ['objects-0', 'objects-1', ...RECORD_STREAM_IDS] as const
export type StreamId = (typeof STREAM_IDS)[number]

const MIB = 1024 * 1024
const CONTEXT = { strictAws: false, objectStoreKind: 's3' } as const
const RETRY_SECONDS = [0, 0.5, 20, 3_600] as const

/** What may be done to a stream's records before they are delivered. */
interface Stages {
  readonly isSplit: boolean
  readonly isTransformed: boolean
  readonly isPartitioned: boolean
}

type SwitchedDestination = JsonObject & {
  readonly ProcessingConfiguration?: ProcessingConfiguration
  /** Of the simulation: those that an update has switched off. */
  readonly FormerProcessors?: readonly Processor[]
}

export function makeStream(streamId: StreamId, chance: Chance): DeliveryStream {
  const encrypted = chance.happens(0.3)
  const { destinationType, destination } = configurationOf(streamId, chance)
  const isLarge = processingPlan(destination)?.partitioned === true
  return {
    streamId,
    name: streamId,
    arn: `arn:aws:firehose:us-east-1:000000000000:deliverystream/${streamId}`,
    status: 'ACTIVE',
    type: 'DirectPut',
    createdAtMs: 0,
    versionId: 1,
    revision: 1,
    tags: [],
    encryption: encrypted
      ? { status: 'ENABLED', keyType: 'AWS_OWNED_CMK', wrappedDataKey: 'wrapped' }
      : { status: 'DISABLED' },
    destinationType,
    destination: {
      ...withSmallCalls(destination, chance),
      // Smaller than a request may ask for, so that a short life has many batches, and large enough
      // for many partitions.
      BufferingHints: {
        SizeInMBs: chance.integer(300, isLarge ? 10_000 : 4_000) / MIB,
        IntervalInSeconds: chance.between(1, 5),
      },
    },
  }
}

/** As an update of its destination leaves it: prefixes and functions have their version in the name. */
export function withNextVersion(stream: DeliveryStream, chance: Chance): DeliveryStream {
  const versionId = stream.versionId + 1
  const isFixed = isSplit(stream) || isPartitioned(stream)
  const changed = !isFixed && chance.happens(0.3) ? withOtherStages(stream) : stream.destination
  const json = JSON.stringify(changed)
  const destination = JSON.parse(
    json.replaceAll(/\bversion-\d+/g, `version-${versionId}`),
  ) as JsonObject
  return { ...stream, versionId, destination }
}

/** Switches the function on or off, where the stream has, or had, one. */
function withOtherStages({ destination }: DeliveryStream): JsonObject {
  const { ProcessingConfiguration, FormerProcessors = [] } = destination as SwitchedDestination
  if (ProcessingConfiguration === undefined) return destination
  const isDelimiter = ({ Type }: Processor): boolean => Type === 'AppendDelimiterToRecord'
  const { Processors } = ProcessingConfiguration
  return {
    ...destination,
    ProcessingConfiguration: {
      Enabled: true,
      Processors: [...Processors.filter(isDelimiter), ...FormerProcessors],
    },
    FormerProcessors: Processors.filter((processor) => !isDelimiter(processor)),
  }
}

/** Whether the records of a stream are taken apart. */
export function isSplit({ destination }: DeliveryStream): boolean {
  return processingPlan(destination)?.deaggregation !== undefined
}

export function isPartitioned({ destination }: DeliveryStream): boolean {
  return processingPlan(destination)?.partitioned === true
}

function configurationOf(
  streamId: StreamId,
  chance: Chance,
): Pick<DeliveryStream, 'destinationType' | 'destination'> {
  const stages = stagesOf(streamId, chance)
  const ProcessingConfiguration = { Enabled: true, Processors: processorsOf(stages, chance) }
  if (streamId === 'index-2' || streamId === 'endpoint-3') {
    const failed = objectConfiguration(failedBucketOf(streamId))
    const destination = {
      RetryOptions: { DurationInSeconds: chance.pick(RETRY_SECONDS) },
      S3BackupMode: chance.pick(['FailedOnly', 'All']),
      S3Configuration: {
        ...s3.create('ExtendedS3DestinationConfiguration', failed, CONTEXT),
        Prefix: COPY_PREFIX,
        ErrorOutputPrefix: ERROR_PREFIX,
      },
      Prefix: 'version-1/',
      ...(stages.isTransformed && { ProcessingConfiguration }),
    }
    return { destinationType: streamId === 'index-2' ? 'Index' : 'Endpoint', destination }
  }
  const isCopied = stages.isTransformed && chance.happens(0.5)
  const destination = s3.create(
    'ExtendedS3DestinationConfiguration',
    {
      ...objectConfiguration(streamId),
      ProcessingConfiguration,
      Prefix: stages.isPartitioned ? 'version-1/k=!{partitionKeyFromLambda:k}/' : 'version-1/',
      ErrorOutputPrefix: ERROR_PREFIX,
      ...(stages.isPartitioned && { DynamicPartitioningConfiguration: { Enabled: true } }),
      ...(isCopied && {
        S3BackupMode: 'Enabled',
        S3BackupConfiguration: {
          ...objectConfiguration(failedBucketOf(streamId)),
          Prefix: COPY_PREFIX,
        },
      }),
    },
    CONTEXT,
  )
  return { destinationType: s3.name, destination }
}

/** Smaller than a request may ask for, so that a small batch is many calls. */
function withSmallCalls(destination: JsonObject, chance: Chance): JsonObject {
  const bytes = chance.integer(200, 3_000)
  const json = JSON.stringify(destination)
  return JSON.parse(
    json.replace(/("BufferSizeInMBs","ParameterValue":)"1"/, `$1"${bytes / MIB}"`),
  ) as JsonObject
}

function stagesOf(streamId: StreamId, chance: Chance): Stages {
  const isTransformed = chance.happens(streamId === 'objects-1' ? 0.6 : 0.3)
  const mayBeMore = isTransformed && streamId === 'objects-1'
  return {
    isTransformed,
    isSplit: mayBeMore && chance.happens(0.3),
    isPartitioned: mayBeMore && chance.happens(0.7),
  }
}

function processorsOf({ isSplit: splits, isTransformed }: Stages, chance: Chance): Processor[] {
  const parameters = (values: Readonly<Record<string, string>>) => ({
    Parameters: Object.entries(values).map(([ParameterName, ParameterValue]) => ({
      ParameterName,
      ParameterValue,
    })),
  })
  return [
    { Type: 'AppendDelimiterToRecord', ...parameters({ Delimiter: '\\n' }) },
    ...(splits ? [{ Type: 'RecordDeAggregation', ...parameters({ SubRecordType: 'JSON' }) }] : []),
    ...(isTransformed
      ? [
          {
            Type: 'Lambda',
            ...parameters({
              LambdaArn: functionArn(1),
              NumberOfRetries: String(chance.integer(0, 3)),
              BufferSizeInMBs: '1',
            }),
          },
        ]
      : []),
  ]
}

/** Where the copies and the error output of a stream are. */
export function failedBucketOf(streamId: string): string {
  return `failed-of-${streamId}`
}

export const COPY_PREFIX = 'copies/'
export const ERROR_FOLDER = 'errors/'
const ERROR_PREFIX = `${ERROR_FOLDER}!{firehose:error-output-type}/`

function objectConfiguration(bucket: string): JsonObject {
  return {
    RoleARN: 'arn:aws:iam::000000000000:role/simulation',
    BucketARN: `arn:aws:s3:::${bucket}`,
  }
}
