import { expect, test } from 'vitest'
import { declareStream } from '../../src/api/operations/declare-stream.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { ApiUnderTest, NOW_MS, refusalOf } from './api-under-test.ts'
import { batchInput, createInput, ROLE_ARN } from './requests.ts'

const NAME = { DeliveryStreamName: 'logs' }
const NOW_SECONDS = NOW_MS / 1_000
const KINESIS = {
  KinesisStreamARN: 'arn:aws:kinesis:us-east-1:123456789012:stream/clicks',
  RoleARN: ROLE_ARN,
}
const MSK = {
  MSKClusterARN: 'arn:aws:kafka:us-east-1:123456789012:cluster/events/7e0a-1',
  TopicName: 'clicks',
  AuthenticationConfiguration: { RoleARN: ROLE_ARN, Connectivity: 'PRIVATE' },
}
const REDIS = { RedisUrl: 'redis://queue.lan:6379', StreamKeys: ['clicks', 'views'] }
const FROM_KINESIS = {
  DeliveryStreamType: 'KinesisStreamAsSource',
  KinesisStreamSourceConfiguration: KINESIS,
}
const FROM_MSK = { DeliveryStreamType: 'MSKAsSource', MSKSourceConfiguration: MSK }
const FROM_REDIS = {
  DeliveryStreamType: 'RedisStreamAsSource',
  RedisStreamSourceConfiguration: REDIS,
}
const HINT = { DirectPutSourceConfiguration: { ThroughputHintInMBs: 5 } }
const SSE = { DeliveryStreamEncryptionConfigurationInput: { KeyType: 'AWS_OWNED_CMK' } }
const LANES = [{ Key: 'standpipe:Lanes', Value: '2' }]

const invalid = (message: unknown) => ({ __type: 'InvalidArgumentException', message })

async function openWithStream(more: JsonObject = FROM_KINESIS): Promise<ApiUnderTest> {
  const api = await ApiUnderTest.open()
  await api.call('CreateDeliveryStream', createInput('logs', more))
  return api
}

async function refusedCreate(more: JsonObject, strictAws = false): Promise<JsonObject> {
  await using api = await ApiUnderTest.open({ configuration: { strictAws } })
  return await api.refusal('CreateDeliveryStream', createInput('logs', more))
}

async function describe(api: ApiUnderTest): Promise<JsonObject> {
  const answer = await api.call('DescribeDeliveryStream', NAME)
  return answer['DeliveryStreamDescription'] as JsonObject
}

test.for<[JsonObject, JsonObject]>([
  [
    FROM_KINESIS,
    { KinesisStreamSourceDescription: { ...KINESIS, DeliveryStartTimestamp: NOW_SECONDS } },
  ],
  // A default that AWS does not tell either: Terraform would plan to replace the stream for it.
  [FROM_MSK, { MSKSourceDescription: { ...MSK, DeliveryStartTimestamp: NOW_SECONDS } }],
  [
    { ...FROM_MSK, MSKSourceConfiguration: { ...MSK, ReadFromTimestamp: 0 } },
    {
      MSKSourceDescription: {
        ...MSK,
        ReadFromTimestamp: 0,
        DeliveryStartTimestamp: NOW_SECONDS,
      },
    },
  ],
  [
    FROM_REDIS,
    {
      RedisStreamSourceDescription: {
        ...REDIS,
        RecordFormat: 'VALUE',
        DeliveryStartTimestamp: NOW_SECONDS,
      },
    },
  ],
])('a stream that reads a source tells which: %j', async ([more, Source]) => {
  await using api = await openWithStream(more)
  const { DeliveryStreamType } = more
  expect(await describe(api)).toMatchObject({ DeliveryStreamType })
  expect((await describe(api))['Source']).toEqual(Source)
})

test.for<[string, JsonObject, JsonObject]>([
  [
    'Kinesis',
    {
      ...FROM_KINESIS,
      KinesisStreamSourceConfiguration: {
        ...KINESIS,
        StartingPosition: 'AT_TIMESTAMP',
        StartingTimestamp: NOW_SECONDS - 60,
        EnhancedFanOutConsumerName: 'standpipe',
      },
    },
    {
      KinesisStreamSourceDescription: {
        ...KINESIS,
        DeliveryStartTimestamp: NOW_SECONDS - 60,
        EnhancedFanOutConsumerName: 'standpipe',
      },
    },
  ],
  [
    'Redis',
    {
      ...FROM_REDIS,
      RedisStreamSourceConfiguration: {
        ...REDIS,
        ConsumerGroup: 'standpipe',
        RecordFormat: 'JSON',
        StartingPosition: 'TRIM_HORIZON',
      },
    },
    {
      RedisStreamSourceDescription: {
        ...REDIS,
        ConsumerGroup: 'standpipe',
        RecordFormat: 'JSON',
        StartingPosition: 'TRIM_HORIZON',
      },
    },
  ],
])('all that may be said of a source of %s comes through', async ([, more, Source]) => {
  await using api = await openWithStream(more)
  expect((await describe(api))['Source']).toEqual(Source)
})

test.for<[string, JsonObject, unknown]>([
  [
    'no configuration of Kinesis',
    { DeliveryStreamType: 'KinesisStreamAsSource' },
    'KinesisSourceStreamConfig is mandatory for KinesisStreamAsSource stream type.',
  ],
  [
    'no configuration of MSK',
    { DeliveryStreamType: 'MSKAsSource' },
    'MSKSourceConfig is mandatory for MSK as Source stream type.',
  ],
  [
    'no configuration of Redis streams',
    { DeliveryStreamType: 'RedisStreamAsSource' },
    'RedisStreamSourceConfiguration is mandatory for RedisStreamAsSource stream type.',
  ],
  [
    'Kinesis without the type',
    { KinesisStreamSourceConfiguration: KINESIS },
    'KinesisSourceStreamConfig is only applicable for KinesisStreamAsSource stream type.',
  ],
  [
    'another type than configuration',
    { ...FROM_MSK, DeliveryStreamType: 'DirectPut' },
    'MSKSourceConfig is only applicable for MSK as Source stream type.',
  ],
  [
    'two sources',
    { ...FROM_KINESIS, RedisStreamSourceConfiguration: REDIS },
    'RedisStreamSourceConfiguration is only applicable for RedisStreamAsSource stream type.',
  ],
  [
    'a throughput hint',
    { ...FROM_KINESIS, ...HINT },
    'DirectPutSourceConfiguration is only applicable for DirectPut stream type.',
  ],
  [
    'a database',
    { DeliveryStreamType: 'DatabaseAsSource' },
    'DatabaseAsSource is not supported: Standpipe does not read databases, only DirectPut, ' +
      'KinesisStreamAsSource, MSKAsSource, RedisStreamAsSource',
  ],
  [
    'encryption',
    { ...FROM_MSK, ...SSE },
    'Server side encryption from firehose is only allowed for direct put delivery streams and ' +
      'database as a source delivery streams',
  ],
  [
    'lanes',
    { ...FROM_KINESIS, Tags: LANES },
    'Tag standpipe:Lanes is for DirectPut only: how far a source is read is kept in one lane',
  ],
  [
    'what the source itself refuses',
    {
      ...FROM_KINESIS,
      KinesisStreamSourceConfiguration: { ...KINESIS, StartingTimestamp: 1 },
    },
    expect.stringMatching(/StartingTimestamp goes with the StartingPosition AT_TIMESTAMP only$/),
  ],
  [
    'a password in the URL of a Redis',
    {
      ...FROM_REDIS,
      RedisStreamSourceConfiguration: { ...REDIS, RedisUrl: 'redis://:hush@queue.lan' },
    },
    expect.stringMatching(/^(?!.*hush).*password/),
  ],
])('a stream is not created with %s', async ([, more, message]) => {
  expect(await refusedCreate(more)).toEqual(invalid(message))
})

test.for<[JsonObject, string]>([
  [
    { ...FROM_REDIS, RedisStreamSourceConfiguration: { ...REDIS, StreamKeys: [] } },
    'redisStreamSourceConfiguration.streamKeys',
  ],
  [
    { ...FROM_REDIS, RedisStreamSourceConfiguration: { RedisUrl: 'http://queue.lan' } },
    'redisStreamSourceConfiguration.redisUrl',
  ],
  [
    {
      ...FROM_KINESIS,
      KinesisStreamSourceConfiguration: { ...KINESIS, StartingPosition: 'EARLIEST' },
    },
    'kinesisStreamSourceConfiguration.startingPosition',
  ],
  [{ ...FROM_MSK, MSKSourceConfiguration: { ...MSK, TopicName: 'a b' } }, 'topicName'],
])('the members of a source are checked like AWS checks its own: %j', async ([more, path]) => {
  expect(await refusedCreate(more)).toMatchObject({
    __type: 'ValidationException',
    message: expect.stringContaining(path),
  })
})

test('with the limits of AWS there are no sources and members but its own', async () => {
  expect(await refusedCreate(FROM_REDIS, true)).toMatchObject({
    __type: 'ValidationException',
    message: expect.stringContaining('[DirectPut, KinesisStreamAsSource, MSKAsSource, Database'),
  })
  const extended = { ...KINESIS, StartingPosition: 'LATEST' }
  const more = { ...FROM_KINESIS, KinesisStreamSourceConfiguration: extended }
  expect(await refusedCreate(more, true)).toEqual(
    invalid(
      "StartingPosition is no member of AWS's KinesisStreamSourceConfiguration, and strictAws is set",
    ),
  )
  await using api = await ApiUnderTest.open({ configuration: { strictAws: true } })
  await api.call('CreateDeliveryStream', createInput('logs', FROM_KINESIS))
})

test.for([
  ['KinesisStreamAsSource', FROM_KINESIS],
  ['MSKAsSource', FROM_MSK],
  ['RedisStreamAsSource', FROM_REDIS],
] as const)('puts to a %s stream are refused, whatever they hold', async ([type, more]) => {
  await using api = await openWithStream(more)
  const refusal = invalid(`This operation is not permitted on ${type} delivery stream type.`)
  const put = { ...NAME, Record: { Data: '' } }
  expect(await api.refusal('PutRecord', put)).toEqual(refusal)
  expect(await api.refusal('PutRecordBatch', batchInput('logs', 'a'))).toEqual(refusal)
  const request = { headers: { 'content-encoding': 'gzip' }, body: 'no gzip' }
  const route = api.route('POST', '/streams/{name}/records', { name: 'logs' }, request)
  expect(await refusalOf(route)).toEqual(refusal)
})

test('a stream that reads a source is neither encrypted nor spread over lanes', async () => {
  await using api = await openWithStream()
  expect(await api.refusal('StartDeliveryStreamEncryption', { ...NAME, ...SSE })).toEqual(
    invalid(expect.stringMatching(/^Server side encryption from firehose is only allowed/)),
  )
  expect(await api.refusal('TagDeliveryStream', { ...NAME, Tags: LANES })).toEqual(
    invalid(expect.stringMatching(/^Tag standpipe:Lanes is for DirectPut only/)),
  )
  await api.call('TagDeliveryStream', { ...NAME, Tags: [{ Key: 'team', Value: 'red' }] })
  expect(await describe(api)).toMatchObject({
    DeliveryStreamEncryptionConfiguration: { Status: 'DISABLED' },
  })
})

test('records of others are replayed into a stream that reads a source', async () => {
  await using api = await openWithStream()
  await api.call('CreateDeliveryStream', createInput('other'))
  const body = JSON.stringify({ ToStream: 'logs' })
  const answer = await api.route('POST', '/streams/{name}/replays', { name: 'other' }, { body })
  expect(answer).toMatchObject({ statusCode: 201, body: { ToStream: 'logs' } })
})

test('streams are listed by type', async () => {
  await using api = await ApiUnderTest.open()
  const streams = { put: {}, kinesis: FROM_KINESIS, msk: FROM_MSK, redis: FROM_REDIS }
  for (const [name, more] of Object.entries<JsonObject>(streams)) {
    await api.call('CreateDeliveryStream', createInput(name, more))
  }
  const list = async (DeliveryStreamType: string): Promise<unknown> =>
    (await api.call('ListDeliveryStreams', { DeliveryStreamType }))['DeliveryStreamNames']
  expect([
    await list('DirectPut'),
    await list('KinesisStreamAsSource'),
    await list('MSKAsSource'),
    await list('RedisStreamAsSource'),
    await list('DatabaseAsSource'),
  ]).toEqual([['put'], ['kinesis'], ['msk'], ['redis'], []])
})

test.for<[string, JsonObject]>([
  ['Kinesis', FROM_KINESIS],
  ['MSK', FROM_MSK],
  ['Redis streams', FROM_REDIS],
])('a declared stream of %s is the same at the next start', async ([, more]) => {
  await using api = await ApiUnderTest.open()
  expect(await declareStream(api.context, createInput('logs', more))).toBe('created')
  const { registry } = api.context
  const created = registry.find('logs')
  const later = { ...api.context.clock, nowMs: () => NOW_MS + 86_400_000 }
  // As a new process finds it.
  await registry.refresh()
  const atNextStart = { ...api.context, clock: later }
  expect(await declareStream(atNextStart, createInput('logs', more))).toBe('unchanged')
  expect(registry.find('logs')).toEqual(created)
})

test('of a stream that reads a source, the rest is declared anew as ever', async () => {
  await using api = await openWithStream()
  const declared = createInput('logs', { ...FROM_KINESIS, Tags: [{ Key: 'team' }] })
  expect(await declareStream(api.context, declared)).toBe('updated')
  expect(await refusalOf(declareStream(api.context, { ...declared, Tags: LANES }))).toEqual(
    invalid(expect.stringMatching(/^Tag standpipe:Lanes is for DirectPut only/)),
  )
  expect(await refusalOf(declareStream(api.context, { ...declared, ...SSE }))).toEqual(
    invalid(expect.stringMatching(/^Server side encryption/)),
  )
  expect(api.context.registry.find('logs')).toMatchObject({ tags: [{ Key: 'team' }] })
})

test.for<[string, JsonObject]>([
  ['none', {}],
  ['of another type', FROM_MSK],
  [
    'another',
    {
      ...FROM_KINESIS,
      KinesisStreamSourceConfiguration: { ...KINESIS, StartingPosition: 'TRIM_HORIZON' },
    },
  ],
])('a stream keeps its source: %s is refused', async ([, more]) => {
  await using api = await openWithStream()
  expect(await refusalOf(declareStream(api.context, createInput('logs', more)))).toEqual(
    invalid(
      'Changing the source of logs is not supported: delete the delivery stream and create it anew',
    ),
  )
})

test('a stream that takes puts does not begin to read a source', async () => {
  await using api = await openWithStream({})
  expect(await refusalOf(declareStream(api.context, createInput('logs', FROM_KINESIS)))).toEqual(
    invalid(expect.stringMatching(/^Changing the source of logs is not supported/)),
  )
})

test('a declaration has times as CloudFormation writes them', async () => {
  await using api = await ApiUnderTest.open()
  const ReadFromTimestamp = new Date(NOW_MS - 60_000).toISOString()
  const declared = { ...FROM_MSK, MSKSourceConfiguration: { ...MSK, ReadFromTimestamp } }
  expect(await declareStream(api.context, createInput('logs', declared))).toBe('created')
  expect(await describe(api)).toMatchObject({
    Source: { MSKSourceDescription: { ReadFromTimestamp: NOW_SECONDS - 60 } },
  })
  const later = { ...MSK, ReadFromTimestamp: 'tomorrow' }
  const input = createInput('other', { ...FROM_MSK, MSKSourceConfiguration: later })
  expect(await refusalOf(declareStream(api.context, input))).toMatchObject({
    __type: 'SerializationException',
  })
})
