/** The streams of a simulation: two into objects, one into an index, one to an endpoint. */
import { s3 } from '../../destinations/s3/index.ts'
import type { JsonObject } from '../../src/base/json.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { Chance } from './chance.ts'

export const RECORD_STREAM_IDS = ['index-2', 'endpoint-3'] as const
export const STREAM_IDS = ['objects-0', 'objects-1', ...RECORD_STREAM_IDS] as const
export type StreamId = (typeof STREAM_IDS)[number]

const MIB = 1024 * 1024
const CONTEXT = { strictAws: false, objectStoreKind: 's3' } as const
const RETRY_SECONDS = [0, 0.5, 20, 3_600] as const

export function makeStream(streamId: StreamId, chance: Chance): DeliveryStream {
  const encrypted = chance.happens(0.3)
  const { destinationType, destination } = configurationOf(streamId, chance)
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
      ...destination,
      Prefix: 'version-1/',
      // Smaller than a request may ask for, so that a short life has many batches.
      BufferingHints: {
        SizeInMBs: chance.integer(300, 4_000) / MIB,
        IntervalInSeconds: chance.between(1, 5),
      },
    },
  }
}

function configurationOf(
  streamId: StreamId,
  chance: Chance,
): Pick<DeliveryStream, 'destinationType' | 'destination'> {
  const object = objectConfiguration(streamId)
  if (streamId === 'index-2' || streamId === 'endpoint-3') {
    const failed = objectConfiguration(failedBucketOf(streamId))
    const destination = {
      RetryOptions: { DurationInSeconds: chance.pick(RETRY_SECONDS) },
      S3BackupMode: chance.pick(['FailedOnly', 'All']),
      S3Configuration: {
        ...s3.create('ExtendedS3DestinationConfiguration', failed, CONTEXT),
        Prefix: COPY_PREFIX,
        ErrorOutputPrefix: 'errors/!{firehose:error-output-type}/',
      },
    }
    return { destinationType: streamId === 'index-2' ? 'Index' : 'Endpoint', destination }
  }
  const delimiter = { ParameterName: 'Delimiter', ParameterValue: '\\n' }
  const ProcessingConfiguration = {
    Enabled: true,
    Processors: [{ Type: 'AppendDelimiterToRecord', Parameters: [delimiter] }],
  }
  const destination = s3.create(
    'ExtendedS3DestinationConfiguration',
    { ...object, ProcessingConfiguration },
    CONTEXT,
  )
  return { destinationType: s3.name, destination }
}

/** Where the copies and the error output of a stream are. */
export function failedBucketOf(streamId: string): string {
  return `failed-of-${streamId}`
}

export const COPY_PREFIX = 'copies/'

function objectConfiguration(bucket: string): JsonObject {
  return {
    RoleARN: 'arn:aws:iam::000000000000:role/simulation',
    BucketARN: `arn:aws:s3:::${bucket}`,
  }
}
