import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { laneCount, retentionMs } from '../../src/delivery-stream.ts'
import { ACCOUNT_ID, ApiUnderTest, NOW_MS } from './api-under-test.ts'
import { createInput, DESTINATION_ID, ROLE_ARN, S3, updateInput } from './requests.ts'

const ARN = `arn:aws:firehose:us-east-1:${ACCOUNT_ID}:deliverystream/logs`
const NAME = { DeliveryStreamName: 'logs' }

async function describe(api: ApiUnderTest, name = 'logs'): Promise<JsonObject> {
  const answer = await api.call('DescribeDeliveryStream', { DeliveryStreamName: name })
  return answer['DeliveryStreamDescription'] as JsonObject
}

async function openWithStream(more: JsonObject = {}): Promise<ApiUnderTest> {
  const api = await ApiUnderTest.open()
  await api.call('CreateDeliveryStream', createInput('logs', more))
  return api
}

async function setDeleting(api: ApiUnderTest): Promise<void> {
  const { streamId } = api.context.registry.find('logs')!
  await api.context.registry.change(streamId, (stream) => ({ ...stream, status: 'DELETING' }))
}

const notFound = (name: string) => ({
  __type: 'ResourceNotFoundException',
  message: `Firehose ${name} under account ${ACCOUNT_ID} not found.`,
})
const invalid = (message: unknown) => ({ __type: 'InvalidArgumentException', message })

test('CreateDeliveryStream answers the ARN, and DescribeDeliveryStream echoes with defaults', async () => {
  await using api = await ApiUnderTest.open()
  expect(await api.call('CreateDeliveryStream', createInput('logs'))).toEqual({
    DeliveryStreamARN: ARN,
  })
  // How the destination spells all of its defaults is for its own tests.
  const s3 = expect.objectContaining({
    ...S3,
    BufferingHints: { SizeInMBs: 5, IntervalInSeconds: 300 },
    CompressionFormat: 'UNCOMPRESSED',
  }) as JsonObject
  expect(await describe(api)).toEqual({
    DeliveryStreamName: 'logs',
    DeliveryStreamARN: ARN,
    DeliveryStreamStatus: 'ACTIVE',
    DeliveryStreamEncryptionConfiguration: { Status: 'DISABLED' },
    DeliveryStreamType: 'DirectPut',
    VersionId: '1',
    CreateTimestamp: NOW_MS / 1_000,
    Destinations: [
      {
        DestinationId: DESTINATION_ID,
        S3DestinationDescription: s3,
        ExtendedS3DestinationDescription: s3,
      },
    ],
    HasMoreDestinations: false,
  })
})

test('a stream of the old S3 configuration is described in both forms', async () => {
  await using api = await ApiUnderTest.open()
  await api.call('CreateDeliveryStream', { ...NAME, S3DestinationConfiguration: S3 })
  const [destination] = (await describe(api))['Destinations'] as JsonObject[]
  expect(Object.keys(destination!)).toEqual([
    'DestinationId',
    'S3DestinationDescription',
    'ExtendedS3DestinationDescription',
  ])
})

test('CreateDeliveryStream refuses a name that is taken', async () => {
  await using api = await openWithStream()
  expect(await api.refusal('CreateDeliveryStream', createInput('logs'))).toEqual({
    __type: 'ResourceInUseException',
    message: `Firehose logs under accountId ${ACCOUNT_ID} already exists`,
  })
})

test('of several creates of one name at once, one succeeds', async () => {
  await using api = await ApiUnderTest.open()
  const outcomes = await Promise.allSettled(
    Array.from({ length: 5 }, () => api.call('CreateDeliveryStream', createInput('logs'))),
  )
  const failures = outcomes.filter((outcome) => outcome.status === 'rejected')
  expect(failures.map(({ reason }) => (reason as { type: string }).type)).toEqual(
    Array(4).fill('ResourceInUseException'),
  )
})

test.for([
  ['no destination', { ExtendedS3DestinationConfiguration: undefined }],
  ['two destinations', { S3DestinationConfiguration: S3 }],
])('CreateDeliveryStream refuses %s', async ([, more]) => {
  await using api = await ApiUnderTest.open()
  const input = createInput('logs', more as unknown as JsonObject)
  expect(await api.refusal('CreateDeliveryStream', input)).toEqual(
    invalid('Exactly one destination configuration is supported for a Firehose'),
  )
})

test.for<[string, string, JsonObject]>([
  [
    'SnowflakeDestination',
    'Snowflake',
    {
      AccountUrl: 'https://account.snowflakecomputing.com',
      User: 'standpipe',
      Database: 'EVENTS',
      Schema: 'PUBLIC',
      Table: 'CLICKS',
      RoleARN: ROLE_ARN,
      S3Configuration: S3,
    },
  ],
  [
    'IcebergDestination',
    'Apache Iceberg tables',
    {
      CatalogConfiguration: { CatalogARN: 'arn:aws:glue:us-east-1:000000000000:catalog' },
      RoleARN: ROLE_ARN,
      S3Configuration: S3,
    },
  ],
])('a %s is refused by name', async ([prefix, name, configuration]) => {
  await using api = await openWithStream()
  const created = { DeliveryStreamName: 'other', [`${prefix}Configuration`]: configuration }
  expect(await api.refusal('CreateDeliveryStream', created)).toEqual(
    invalid(
      expect.stringContaining(
        `${prefix}Configuration is not supported: Standpipe does not deliver to ${name}, ` +
          'only Amazon',
      ),
    ),
  )
  const { ExtendedS3DestinationUpdate: _, ...update } = updateInput('logs', '1', {})
  expect(await api.refusal('UpdateDestination', { ...update, [`${prefix}Update`]: {} })).toEqual(
    invalid(
      expect.stringContaining(
        `${prefix}Update is not supported: Standpipe does not deliver to ${name}, only Amazon`,
      ),
    ),
  )
})

test('the throughput that a creator expects is checked and told back', async () => {
  await using api = await ApiUnderTest.open()
  const withHint = (ThroughputHintInMBs: number) =>
    createInput('logs', { DirectPutSourceConfiguration: { ThroughputHintInMBs } })
  for (const hint of [0, 101]) {
    expect(await api.refusal('CreateDeliveryStream', withHint(hint))).toMatchObject({
      __type: 'ValidationException',
    })
  }
  await api.call('CreateDeliveryStream', withHint(100))
  const { DeliveryStreamDescription } = await api.call('DescribeDeliveryStream', NAME)
  expect(DeliveryStreamDescription).toMatchObject({
    Source: { DirectPutSourceDescription: { ThroughputHintInMBs: 100 } },
  })
})

test("what the destination refuses is the caller's mistake", async () => {
  await using api = await ApiUnderTest.open()
  const configuration = { ...S3, DynamicPartitioningConfiguration: { Enabled: true } }
  const input = createInput('logs', { ExtendedS3DestinationConfiguration: configuration })
  expect(await api.refusal('CreateDeliveryStream', input)).toEqual(
    invalid(
      'Prefix must contain Dynamic Partitioning Namespaces when Dynamic Partitioning is enabled.',
    ),
  )
})

test.for([
  ['DescribeDeliveryStream', {}],
  ['DeleteDeliveryStream', {}],
  ['ListTagsForDeliveryStream', {}],
  ['TagDeliveryStream', { Tags: [{ Key: 'a' }] }],
  ['UntagDeliveryStream', { TagKeys: ['a'] }],
  ['StartDeliveryStreamEncryption', {}],
  ['StopDeliveryStreamEncryption', {}],
  ['UpdateDestination', updateInput('logs', '1', {})],
  ['PutRecord', { Record: { Data: '' } }],
  ['PutRecordBatch', { Records: [{ Data: '' }] }],
] as const)('%s of an unknown stream is refused', async ([operation, more]) => {
  await using api = await ApiUnderTest.open()
  expect(await api.refusal(operation, { ...more, ...NAME })).toEqual(notFound('logs'))
})

test('a name that every object inherits is no stream', async () => {
  await using api = await ApiUnderTest.open()
  const input = { DeliveryStreamName: 'constructor' }
  expect(await api.refusal('DescribeDeliveryStream', input)).toEqual(notFound('constructor'))
})

test('ListDeliveryStreams pages by ten, by name, after an exclusive cursor', async () => {
  await using api = await ApiUnderTest.open()
  const names = ['b', 'a', 'B', 'c', '0', 'z', 'y', 'x', 'a-b', 'a.b', 'a_b']
  for (const name of names) await api.call('CreateDeliveryStream', createInput(name))
  const sorted = ['0', 'B', 'a', 'a-b', 'a.b', 'a_b', 'b', 'c', 'x', 'y', 'z']
  const list = (input: JsonObject) => api.call('ListDeliveryStreams', input)
  expect(await list({})).toEqual({
    DeliveryStreamNames: sorted.slice(0, 10),
    HasMoreDeliveryStreams: true,
  })
  expect(await list({ Limit: 3, ExclusiveStartDeliveryStreamName: 'y' })).toEqual({
    DeliveryStreamNames: ['z'],
    HasMoreDeliveryStreams: false,
  })
  expect(await list({ Limit: 2, ExclusiveStartDeliveryStreamName: 'a-gone' })).toEqual({
    DeliveryStreamNames: ['a.b', 'a_b'],
    HasMoreDeliveryStreams: true,
  })
  expect(await list({ DeliveryStreamType: 'MSKAsSource' })).toEqual({
    DeliveryStreamNames: [],
    HasMoreDeliveryStreams: false,
  })
})

test('tags are listed by key; the last duplicate counts, also against older ones', async () => {
  await using api = await openWithStream({ Tags: [{ Key: 'team', Value: 'red' }, { Key: 'b' }] })
  const Tags = [
    { Key: 'a', Value: '1' },
    { Key: 'team', Value: 'green' },
    { Key: 'team', Value: 'blue' },
  ]
  expect(await api.call('TagDeliveryStream', { ...NAME, Tags })).toEqual({})
  const list = (input: JsonObject) => api.call('ListTagsForDeliveryStream', { ...NAME, ...input })
  expect(await list({})).toEqual({
    Tags: [{ Key: 'a', Value: '1' }, { Key: 'b' }, { Key: 'team', Value: 'blue' }],
    HasMoreTags: false,
  })
  expect(await list({ Limit: 1, ExclusiveStartTagKey: 'a' })).toEqual({
    Tags: [{ Key: 'b' }],
    HasMoreTags: true,
  })
  await api.call('UntagDeliveryStream', { ...NAME, TagKeys: ['team', 'missing'] })
  expect(await list({ ExclusiveStartTagKey: 'a' })).toEqual({
    Tags: [{ Key: 'b' }],
    HasMoreTags: false,
  })
  expect(await describe(api)).toMatchObject({ VersionId: '1' })
})

test('a stream takes 50 tags and no more', async () => {
  await using api = await openWithStream()
  const Tags = Array.from({ length: 50 }, (_, index) => ({ Key: `key-${index}` }))
  await api.call('TagDeliveryStream', { ...NAME, Tags })
  await api.call('TagDeliveryStream', { ...NAME, Tags: [{ Key: 'key-7', Value: 'new' }] })
  expect(await api.refusal('TagDeliveryStream', { ...NAME, Tags: [{ Key: 'one-more' }] })).toEqual({
    __type: 'LimitExceededException',
    message: 'A Firehose can have at most 50 tags, not 51',
  })
})

test.for(['', '0', '0.5', '8761', 'ten', '1e3', '-5'])(
  'the retention tag refuses %j hours',
  async (hours) => {
    await using api = await openWithStream()
    const Tags = [{ Key: 'standpipe:RetentionPeriodHours', Value: hours }]
    const refusal = invalid('Tag standpipe:RetentionPeriodHours must be a number from 1 to 8760')
    expect(await api.refusal('TagDeliveryStream', { ...NAME, Tags })).toEqual(refusal)
    expect(await api.refusal('CreateDeliveryStream', createInput('other', { Tags }))).toEqual(
      refusal,
    )
  },
)

test.for([
  ['1', 3_600_000],
  ['36.5', 131_400_000],
  ['8760', 31_536_000_000],
] as const)('the retention tag takes %s hours', async ([Value, ms]) => {
  await using api = await openWithStream()
  const Tags = [{ Key: 'standpipe:RetentionPeriodHours', Value }]
  await api.call('TagDeliveryStream', { ...NAME, Tags })
  expect(retentionMs(api.context.registry.find('logs')!)).toBe(ms)
})

test('the tag that spreads a stream over lanes takes a whole number from 1 to 16', async () => {
  await using api = await openWithStream()
  const tagsOf = (Value: string) => ({ ...NAME, Tags: [{ Key: 'standpipe:Lanes', Value }] })
  for (const count of ['', '0', '17', '2.5', 'four']) {
    const refusal = invalid('Tag standpipe:Lanes must be a whole number from 1 to 16')
    expect(await api.refusal('TagDeliveryStream', tagsOf(count))).toEqual(refusal)
  }
  await api.call('TagDeliveryStream', tagsOf('16'))
  expect(laneCount(api.context.registry.find('logs')!)).toBe(16)
})

test('UpdateDestination merges, counts the version up, and stamps the time', async () => {
  await using api = await openWithStream()
  expect(await describe(api)).not.toHaveProperty('LastUpdateTimestamp')
  await api.call('UpdateDestination', updateInput('logs', '1', { Prefix: 'new/' }))
  const description = await describe(api)
  expect(description).toMatchObject({ VersionId: '2', LastUpdateTimestamp: NOW_MS / 1_000 })
  const [destination] = description['Destinations'] as JsonObject[]
  expect(destination!['ExtendedS3DestinationDescription']).toMatchObject({ ...S3, Prefix: 'new/' })
})

test('UpdateDestination that changes nothing succeeds and leaves the version', async () => {
  await using api = await openWithStream()
  await api.call('UpdateDestination', updateInput('logs', '1', {}))
  await api.call('UpdateDestination', updateInput('logs', '1', { ...S3 }))
  const description = await describe(api)
  expect(description).toMatchObject({ VersionId: '1' })
  expect(description).not.toHaveProperty('LastUpdateTimestamp')
})

test('UpdateDestination refuses a version that is not the current one', async () => {
  await using api = await openWithStream()
  await api.call('UpdateDestination', updateInput('logs', '1', { Prefix: 'new/' }))
  expect(await api.refusal('UpdateDestination', updateInput('logs', '1', {}))).toEqual({
    __type: 'ConcurrentModificationException',
    message:
      'Cannot update firehose: logs since the current version id: 2 ' +
      'and specified version id: 1 do not match',
  })
})

test('of several updates of one version at once, one succeeds', async () => {
  await using api = await openWithStream()
  const outcomes = await Promise.allSettled(
    ['a/', 'b/', 'c/'].map((Prefix) =>
      api.call('UpdateDestination', updateInput('logs', '1', { Prefix })),
    ),
  )
  expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1)
  expect(await describe(api)).toMatchObject({ VersionId: '2' })
})

test('UpdateDestination refuses another destination id', async () => {
  await using api = await openWithStream()
  const input = { ...updateInput('logs', '1', {}), DestinationId: 'destinationId-000000000002' }
  expect(await api.refusal('UpdateDestination', input)).toEqual(
    invalid('Destination Id destinationId-000000000002 not found'),
  )
})

test('UpdateDestination refuses none, and another destination than the stream has', async () => {
  await using api = await openWithStream()
  const { ExtendedS3DestinationUpdate: _, ...input } = updateInput('logs', '1', {})
  expect(await api.refusal('UpdateDestination', input)).toEqual(
    invalid('Exactly one destination configuration is supported for a Firehose'),
  )
  const splunk = { ...input, SplunkDestinationUpdate: {} }
  expect(await api.refusal('UpdateDestination', splunk)).toEqual(
    invalid('Changing the destination type to or from Splunk is not supported at this time.'),
  )
})

test('a stream that is being deleted takes nothing but another delete', async () => {
  await using api = await openWithStream()
  await setDeleting(api)
  expect(await describe(api)).toMatchObject({ DeliveryStreamStatus: 'DELETING' })
  const inUse = {
    __type: 'ResourceInUseException',
    message: `Firehose logs under accountId ${ACCOUNT_ID} is in DELETING state, not ACTIVE`,
  }
  const Tags = [{ Key: 'a' }]
  expect(await api.refusal('TagDeliveryStream', { ...NAME, Tags })).toEqual(inUse)
  expect(await api.refusal('UntagDeliveryStream', { ...NAME, TagKeys: ['a'] })).toEqual(inUse)
  expect(await api.refusal('StartDeliveryStreamEncryption', NAME)).toEqual(inUse)
  expect(await api.refusal('StopDeliveryStreamEncryption', NAME)).toEqual(inUse)
  expect(await api.refusal('UpdateDestination', updateInput('logs', '1', {}))).toEqual(inUse)
  expect(await api.refusal('PutRecord', { ...NAME, Record: { Data: '' } })).toEqual(
    notFound('logs'),
  )
  expect(await api.refusal('CreateDeliveryStream', createInput('logs'))).toMatchObject({
    __type: 'ResourceInUseException',
  })
  expect(await api.call('DeleteDeliveryStream', NAME)).toEqual({})
  expect(await api.refusal('DescribeDeliveryStream', NAME)).toEqual(notFound('logs'))
})
