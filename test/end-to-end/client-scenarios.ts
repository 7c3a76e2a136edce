/**
 * What every AWS client must be able to do with Standpipe. The error types and messages are those
 * of facts about the real service; see docs/compatibility.md.
 */
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import type { Connection, FirehoseCaller, Outcome } from '../clients/firehose-caller.ts'
import { eventually } from './harness.ts'
import type { Service } from './harness.ts'
import { folderObjects } from './objects.ts'

export interface ScenarioContext {
  readonly service: Service
  /** Unused so far; its bucket is `bucket-<name>`. */
  readonly streamName: string
  readonly connect: (key?: Partial<Connection>) => FirehoseCaller
  /** Seals what the stream has open, with our own command. */
  readonly flush: () => Promise<void>
}

export interface Scenario {
  readonly name: string
  run(context: ScenarioContext): Promise<void>
}

const DESTINATION_ID = 'destinationId-000000000001'

const delivers: Scenario = {
  name: 'creates a stream, puts records, finds them in an object, deletes the stream',
  async run({ connect, flush, service, streamName }) {
    const client = connect()
    const created = await ok(client, 'CreateDeliveryStream', {
      ...creation(streamName, {
        CompressionFormat: 'GZIP',
        ProcessingConfiguration: {
          Enabled: true,
          Processors: [{ Type: 'AppendDelimiterToRecord' }],
        },
      }),
      Tags: [{ Key: 'team', Value: 'tests' }],
    })
    const arn = `arn:aws:firehose:us-east-1:000000000000:deliverystream/${streamName}`
    expect(created).toEqual({ DeliveryStreamARN: arn })
    expect(await waitUntilActive(client, streamName)).toMatchObject({
      DeliveryStreamName: streamName,
      DeliveryStreamARN: arn,
      DeliveryStreamType: 'DirectPut',
      VersionId: '1',
      HasMoreDestinations: false,
      DeliveryStreamEncryptionConfiguration: { Status: 'DISABLED' },
      Destinations: [
        {
          DestinationId: DESTINATION_ID,
          ExtendedS3DestinationDescription: {
            BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 60 },
            CompressionFormat: 'GZIP',
            EncryptionConfiguration: { NoEncryptionConfig: 'NoEncryption' },
            S3BackupMode: 'Disabled',
          },
        },
      ],
    })

    const first = await ok(client, 'PutRecord', {
      DeliveryStreamName: streamName,
      Record: { Data: 'alpha' },
    })
    expect(first).toEqual({ RecordId: expect.any(String), Encrypted: false })
    const batch = await ok(client, 'PutRecordBatch', {
      DeliveryStreamName: streamName,
      Records: [{ Data: 'beta' }, { Data: 'γάμμα ☃' }, { Data: '{"delta": 1}' }],
    })
    const RequestResponses = Array.from({ length: 3 }, () => ({ RecordId: expect.any(String) }))
    expect(batch).toEqual({ FailedPutCount: 0, Encrypted: false, RequestResponses })

    await flush()
    const objects = await deliveredObjects(service, streamName, 4)
    expect(objects.map(({ lines }) => lines).flat()).toEqual(
      expect.arrayContaining(['alpha', 'beta', 'γάμμα ☃', '{"delta": 1}']),
    )
    const date = String.raw`\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d`
    const uuid = String.raw`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`
    for (const { key } of objects) {
      expect(key).toMatch(
        new RegExp(String.raw`^\d{4}/\d\d/\d\d/\d\d/${streamName}-1-${date}-${uuid}\.gz$`),
      )
    }

    expect(await ok(client, 'DeleteDeliveryStream', { DeliveryStreamName: streamName })).toEqual({})
    await eventually('the stream is gone', 10_000, async () => {
      const outcome = await client.call('DescribeDeliveryStream', {
        DeliveryStreamName: streamName,
      })
      return 'errorType' in outcome && outcome.errorType === 'ResourceNotFoundException'
        ? true
        : undefined
    })
  },
}

const updates: Scenario = {
  name: 'updates a destination by version, merging what is left out',
  async run({ connect, streamName }) {
    const client = connect()
    await createActive(client, streamName)
    const update = (version: string, ExtendedS3DestinationUpdate: JsonObject): Promise<Outcome> =>
      client.call('UpdateDestination', {
        DeliveryStreamName: streamName,
        CurrentDeliveryStreamVersionId: version,
        DestinationId: DESTINATION_ID,
        ExtendedS3DestinationUpdate,
      })
    expect(await update('1', { Prefix: 'logs/' })).toEqual({ output: {} })
    expect(await update('1', { Prefix: 'other/' })).toMatchObject({
      errorType: 'ConcurrentModificationException',
    })
    expect(await update('2', { Prefix: 'logs/' })).toEqual({ output: {} })
    expect(await description(client, streamName)).toMatchObject({
      VersionId: '2',
      Destinations: [
        {
          ExtendedS3DestinationDescription: {
            Prefix: 'logs/',
            BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 60 },
          },
        },
      ],
    })
    await refused(client, 'InvalidArgumentException', 'UpdateDestination', {
      DeliveryStreamName: streamName,
      CurrentDeliveryStreamVersionId: '2',
      DestinationId: 'destinationId-000000000002',
      ExtendedS3DestinationUpdate: {},
    })
    await refused(client, 'InvalidArgumentException', 'UpdateDestination', {
      DeliveryStreamName: streamName,
      CurrentDeliveryStreamVersionId: '2',
      DestinationId: DESTINATION_ID,
      ExtendedS3DestinationUpdate: { Prefix: '!{nonsense:here}/', ErrorOutputPrefix: 'errors/' },
    })
  },
}

const tags: Scenario = {
  name: 'keeps tags, lists them in order and in pages',
  async run({ connect, streamName }) {
    const client = connect()
    const name = { DeliveryStreamName: streamName }
    await createActive(client, streamName)
    await ok(client, 'TagDeliveryStream', {
      ...name,
      Tags: [{ Key: 'b', Value: '2' }, { Key: 'a', Value: '1' }, { Key: 'c' }],
    })
    await ok(client, 'TagDeliveryStream', { ...name, Tags: [{ Key: 'b', Value: 'two' }] })
    await ok(client, 'UntagDeliveryStream', { ...name, TagKeys: ['a', 'never there'] })
    await ok(client, 'TagDeliveryStream', { ...name, Tags: [{ Key: 'd', Value: '4' }] })
    expect(await ok(client, 'ListTagsForDeliveryStream', { ...name, Limit: 2 })).toEqual({
      Tags: [{ Key: 'b', Value: 'two' }, expect.objectContaining({ Key: 'c' })],
      HasMoreTags: true,
    })
    const rest = { ...name, ExclusiveStartTagKey: 'c' }
    expect(await ok(client, 'ListTagsForDeliveryStream', rest)).toEqual({
      Tags: [{ Key: 'd', Value: '4' }],
      HasMoreTags: false,
    })
    const many = Array.from({ length: 50 }, (_, index) => ({ Key: `tag-${index}`, Value: 'x' }))
    await refused(client, 'LimitExceededException', 'TagDeliveryStream', { ...name, Tags: many })
  },
}

const encryption: Scenario = {
  name: 'starts and stops server-side encryption',
  async run({ connect, streamName }) {
    const client = connect()
    const name = { DeliveryStreamName: streamName }
    await createActive(client, streamName)
    await ok(client, 'StartDeliveryStreamEncryption', name)
    await encryptionStatus(client, streamName, 'ENABLED')
    expect(await ok(client, 'PutRecord', { ...name, Record: { Data: 'sealed' } })).toMatchObject({
      Encrypted: true,
    })
    await ok(client, 'StopDeliveryStreamEncryption', name)
    await encryptionStatus(client, streamName, 'DISABLED')
    expect(await ok(client, 'PutRecord', { ...name, Record: { Data: 'open' } })).toMatchObject({
      Encrypted: false,
    })
  },
}

const lists: Scenario = {
  name: 'lists streams by name, in pages and by type',
  async run({ connect, streamName }) {
    const client = connect()
    const names = ['one', 'three', 'two'].map((suffix) => `${streamName}-${suffix}`)
    for (const name of names.toReversed()) await createActive(client, name)
    const before = streamName
    const page = await ok(client, 'ListDeliveryStreams', {
      ExclusiveStartDeliveryStreamName: before,
      Limit: 2,
      DeliveryStreamType: 'DirectPut',
    })
    expect(page).toEqual({ DeliveryStreamNames: names.slice(0, 2), HasMoreDeliveryStreams: true })
    const rest = await ok(client, 'ListDeliveryStreams', {
      ExclusiveStartDeliveryStreamName: names[1] ?? '',
      Limit: 1,
    })
    expect(rest['DeliveryStreamNames']).toEqual(names.slice(2))
    const other = await ok(client, 'ListDeliveryStreams', {
      DeliveryStreamType: 'KinesisStreamAsSource',
    })
    expect(other).toEqual({ DeliveryStreamNames: [], HasMoreDeliveryStreams: false })
  },
}

const refusals: Scenario = {
  name: "refuses with AWS's errors, and the next good put works",
  async run({ connect, flush, service, streamName }) {
    const client = connect()
    const name = { DeliveryStreamName: streamName }
    const nowhere = { DeliveryStreamName: 'no-such-stream' }
    const Record = { Data: 'x' }
    await createActive(client, streamName)
    await refused(client, 'ResourceInUseException', 'CreateDeliveryStream', creation(streamName))
    for (const [operation, input] of [
      ['DescribeDeliveryStream', nowhere],
      ['DeleteDeliveryStream', nowhere],
      ['PutRecord', { ...nowhere, Record }],
      ['PutRecordBatch', { ...nowhere, Records: [Record] }],
      ['ListTagsForDeliveryStream', nowhere],
      ['StartDeliveryStreamEncryption', nowhere],
    ] as const) {
      const message = await refused(client, 'ResourceNotFoundException', operation, input)
      expect(message).toBe('Firehose no-such-stream under account 000000000000 not found.')
    }
    const { ExtendedS3DestinationConfiguration: extended } = creation('another-stream')
    await refused(client, 'InvalidArgumentException', 'CreateDeliveryStream', {
      DeliveryStreamName: 'another-stream',
    })
    await refused(client, 'InvalidArgumentException', 'CreateDeliveryStream', {
      ...creation('another-stream'),
      S3DestinationConfiguration: { ...(extended as JsonObject) },
    })
    await refused(client, 'ValidationException', 'CreateDeliveryStream', creation('no spaces!'))
    await refused(client, 'ValidationException', 'CreateDeliveryStream', {
      ...creation('another-stream', { CompressionFormat: 'gzip' }),
    })
    await refused(client, 'ValidationException', 'PutRecordBatch', {
      ...name,
      Records: Array.from({ length: 501 }, () => Record),
    })
    await refused(client, 'ValidationException', 'PutRecord', {
      ...name,
      Record: { Data: 'x'.repeat(1_024_001) },
    })
    // One bad record among good ones: the whole call is refused, and none of it is delivered.
    await refused(client, 'ValidationException', 'PutRecordBatch', {
      ...name,
      Records: [Record, { Data: 'x'.repeat(1_024_001) }, Record],
    })
    await refused(client, 'InvalidArgumentException', 'PutRecordBatch', {
      ...name,
      Records: Array.from({ length: 5 }, () => ({ Data: 'x'.repeat(1_000_000) })),
    })

    const fullBatch = Array.from({ length: 500 }, (_, index) => ({ Data: `line ${index}\n` }))
    expect(await ok(client, 'PutRecordBatch', { ...name, Records: fullBatch })).toMatchObject({
      FailedPutCount: 0,
    })
    await flush()
    const objects = await deliveredObjects(service, streamName, 500)
    expect(objects.flatMap(({ lines }) => lines)).toEqual(
      fullBatch.map(({ Data }) => Data.trimEnd()),
    )
  },
}

const strangers: Scenario = {
  name: 'turns away unknown keys and wrong secrets',
  async run({ connect }) {
    const operation = 'ListDeliveryStreams'
    const stranger = connect({ accessKeyId: 'AKIDNOBODYKNOWSME' })
    await refused(stranger, 'UnrecognizedClientException', operation, {})
    const liar = connect({ secretAccessKey: 'not the secret' })
    await refused(liar, 'InvalidSignatureException', operation, {})
  },
}

export const signedScenarios = [delivers, updates, tags, encryption, lists, refusals, strangers]
/** Without keys the same code runs behind the same door; once through is enough. */
export const openScenarios = [delivers]

/** 60 seconds, because older clients (Debian's AWS CLI 2) refuse to send less. */
function creation(name: string, special: JsonObject = {}): JsonObject {
  return {
    DeliveryStreamName: name,
    DeliveryStreamType: 'DirectPut',
    ExtendedS3DestinationConfiguration: {
      RoleARN: 'arn:aws:iam::000000000000:role/firehose',
      BucketARN: `arn:aws:s3:::bucket-${name}`,
      BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 60 },
      ...special,
    },
  }
}

async function createActive(client: FirehoseCaller, name: string): Promise<void> {
  await ok(client, 'CreateDeliveryStream', creation(name))
  await waitUntilActive(client, name)
}

async function description(client: FirehoseCaller, name: string): Promise<JsonObject> {
  const output = await ok(client, 'DescribeDeliveryStream', { DeliveryStreamName: name })
  return output['DeliveryStreamDescription'] as JsonObject
}

function waitUntilActive(client: FirehoseCaller, name: string): Promise<JsonObject> {
  return eventually(`stream ${name} is active`, 15_000, async () => {
    const found = await description(client, name)
    return found['DeliveryStreamStatus'] === 'ACTIVE' ? found : undefined
  })
}

function encryptionStatus(client: FirehoseCaller, name: string, wanted: string): Promise<true> {
  return eventually(`encryption of ${name} is ${wanted}`, 15_000, async () => {
    const found = await description(client, name)
    const { Status } = (found['DeliveryStreamEncryptionConfiguration'] ?? {}) as JsonObject
    return Status === wanted ? true : undefined
  })
}

async function ok(client: FirehoseCaller, operation: string, input: JsonObject) {
  const outcome = await client.call(operation, input)
  if ('output' in outcome) return outcome.output
  throw new Error(`Cannot ${operation}: ${outcome.errorType}: ${outcome.message}`)
}

/** Resolves with the message of the refusal. */
async function refused(
  client: FirehoseCaller,
  errorType: string,
  operation: string,
  input: JsonObject,
): Promise<string> {
  const outcome = await client.call(operation, input)
  expect(outcome, operation).toMatchObject({ errorType })
  return 'message' in outcome ? outcome.message : ''
}

/** The stream's objects, once they hold `lineCount` lines in all. */
function deliveredObjects(
  service: Service,
  streamName: string,
  lineCount: number,
): Promise<{ key: string; lines: string[] }[]> {
  const folder = join(service.dataDir, 'buckets', `bucket-${streamName}`)
  return eventually(`${lineCount} lines in ${folder}`, 20_000, async () => {
    const objects = (await folderObjects(folder)).map(({ key, bytes }) => {
      const text = (key.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
      return { key, lines: text.replace(/\n$/, '').split('\n') }
    })
    const found = objects.reduce((sum, { lines }) => sum + lines.length, 0)
    return found >= lineCount ? objects : undefined
  })
}
