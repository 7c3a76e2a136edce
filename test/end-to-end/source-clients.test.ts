/** Streams that read a source, made and described by AWS's clients, against the real process. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { available } from '../clients/available.ts'
import { boto3 } from '../clients/boto3.ts'
import type { FirehoseCaller } from '../clients/firehose-caller.ts'
import { javascriptSdk } from '../clients/javascript.ts'
import { Service } from './harness.ts'

const KEY = { accessKeyId: 'AKIDSOURCES', secretAccessKey: 'secret of the sources' }
const NAME = { DeliveryStreamName: 'reading' }
const ROLE = { RoleARN: 'arn:aws:iam::000000000000:role/firehose' }
const S3 = { ...ROLE, BucketARN: 'arn:aws:s3:::reading' }
const KINESIS = {
  KinesisStreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks',
  ...ROLE,
}
const MSK = {
  MSKClusterARN: 'arn:aws:kafka:us-east-1:000000000000:cluster/events/7e0a-1',
  TopicName: 'clicks',
  AuthenticationConfiguration: { ...ROLE, Connectivity: 'PRIVATE' },
}
const READ_FROM_MS = Date.UTC(2026, 0, 2, 3, 4, 5)

const installed = await Promise.all(
  [javascriptSdk, boto3].map(async (kind) => ({
    name: kind.name,
    open: await kind.install(),
    // boto3 reads text itself, and so does the AWS CLI.
    timeOf: (ms: number) => {
      const time = new Date(ms)
      return kind === javascriptSdk ? (time as unknown as string) : time.toISOString()
    },
  })),
)

let service: Service
beforeAll(async () => {
  service = await Service.start({
    environment: {
      STANDPIPE_ACCESS_KEYS: `${KEY.accessKeyId}:${KEY.secretAccessKey}`,
      // Nothing of what sources would read is there.
      STANDPIPE_KINESIS_ENDPOINT: 'http://127.0.0.1:1',
    },
  })
})
afterAll(() => service[Symbol.asyncDispose]())

describe.each(installed)('through $name', ({ name, open, timeOf }) => {
  const present = available(name, open !== undefined)
  let caller: FirehoseCaller

  beforeAll(() => {
    if (open !== undefined) caller = open({ url: service.url, ...KEY })
  })
  afterAll(async () => {
    if (present) await caller[Symbol.asyncDispose]()
  })

  const call = async (operation: string, input: JsonObject): Promise<JsonObject> => {
    const outcome = await caller.call(operation, input)
    if ('output' in outcome) return outcome.output
    throw new Error(`Cannot ${operation}: ${outcome.errorType}: ${outcome.message}`)
  }
  const describeStream = async (): Promise<JsonObject> =>
    (await call('DescribeDeliveryStream', NAME))['DeliveryStreamDescription'] as JsonObject

  test.runIf(present)('a stream reads from Kinesis, and takes no puts', async () => {
    await call('CreateDeliveryStream', {
      ...NAME,
      DeliveryStreamType: 'KinesisStreamAsSource',
      KinesisStreamSourceConfiguration: KINESIS,
      ExtendedS3DestinationConfiguration: S3,
    })
    expect(await describeStream()).toMatchObject({
      DeliveryStreamStatus: 'ACTIVE',
      DeliveryStreamType: 'KinesisStreamAsSource',
      Source: {
        KinesisStreamSourceDescription: { ...KINESIS, DeliveryStartTimestamp: expect.anything() },
      },
    })
    expect(await caller.call('PutRecord', { ...NAME, Record: { Data: 'a' } })).toEqual({
      errorType: 'InvalidArgumentException',
      message: 'This operation is not permitted on KinesisStreamAsSource delivery stream type.',
    })
    const listing = { DeliveryStreamType: 'KinesisStreamAsSource' }
    expect(await call('ListDeliveryStreams', listing)).toMatchObject({
      DeliveryStreamNames: ['reading'],
    })
    await call('DeleteDeliveryStream', NAME)
  })

  test.runIf(present)('a stream reads from MSK, since a given time', async () => {
    await call('CreateDeliveryStream', {
      ...NAME,
      DeliveryStreamType: 'MSKAsSource',
      MSKSourceConfiguration: { ...MSK, ReadFromTimestamp: timeOf(READ_FROM_MS) },
      ExtendedS3DestinationConfiguration: S3,
    })
    const { Source } = await describeStream()
    const { MSKSourceDescription } = Source as JsonObject
    const { ReadFromTimestamp, DeliveryStartTimestamp, ...others } =
      MSKSourceDescription as JsonObject
    expect(others).toEqual(MSK)
    expect(instantOf(ReadFromTimestamp)).toBe(READ_FROM_MS)
    expect(instantOf(DeliveryStartTimestamp)).toBeGreaterThan(READ_FROM_MS)
    await call('DeleteDeliveryStream', NAME)
  })
})

/** Of what a client made of a timestamp: a Date, text, or seconds. */
function instantOf(value: unknown): number {
  return typeof value === 'number' ? value * 1_000 : new Date(value as string).getTime()
}
