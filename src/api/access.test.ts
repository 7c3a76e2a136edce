import { expect, test } from 'vitest'
import { AccessKeys } from './access-keys.ts'
import type { Route } from './operation.ts'
import { PolicyError } from './policy-error.ts'
import { metricsRoute } from './rest/metrics.ts'
import { sign } from './sigv4.ts'
import { RawClient, rawRequest, refusalIn, target } from '../../test/fakes/raw-client.ts'
import { TestApi } from '../../test/fakes/test-api.ts'
import { systemClock } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'

const ROOT = { id: 'ROOT', secret: 'root-secret' }
const LOGS = 'arn:aws:firehose:us-east-1:000000000000:deliverystream/logs'

const flush: Route = {
  method: 'POST',
  path: '/streams/{name}/flush',
  action: 'FlushDeliveryStream',
  bodyBytesMax: 0,
  audited: true,
  handle: ({ parameters }) =>
    Promise.resolve({ statusCode: 202, body: { flushed: parameters.get('name') } }),
}
const health: Route = {
  method: 'GET',
  path: '/health',
  action: undefined,
  bodyBytesMax: 0,
  audited: false,
  handle: () => Promise.resolve({ statusCode: 200, body: 'ready' }),
}

interface Key {
  readonly id: string
  readonly secret: string
}

async function request(
  api: TestApi,
  key: Key,
  headers: Record<string, string>,
  body: string,
  [method, path]: readonly [string, string] = ['POST', '/'],
) {
  using client = await RawClient.connect(api.url)
  const unsigned = {
    method,
    path,
    query: '',
    headers: { host: 'standpipe', ...lowerCase(headers) },
  }
  const credentials = { accessKeyId: key.id, secretAccessKey: key.secret, region: 'eu-west-1' }
  const signed = sign(unsigned, Buffer.from(body), credentials, Date.now())
  client.write(rawRequest(signed as Record<string, string>, body, `${method} ${path} HTTP/1.1`))
  return await client.answer()
}

function lowerCase(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
}

async function call(api: TestApi, key: Key, operation: string, input: JsonObject) {
  const answer = await request(api, key, target(operation), JSON.stringify(input))
  return { status: answer.status, body: JSON.parse(answer.body) as JsonObject }
}

test('a key without statements may do everything', async () => {
  await using api = await TestApi.start({ accessKeys: [ROOT] })
  const input = { DeliveryStreamName: 'logs' }
  expect(await call(api, ROOT, 'DescribeDeliveryStream', input)).toEqual({
    status: 200,
    body: input,
  })
  expect((await call(api, ROOT, 'PutRecord', input)).status).toBe(200)
})

test('without a signature only open routes answer', async () => {
  await using api = await TestApi.start({ accessKeys: [ROOT], routes: [health, flush] })
  using client = await RawClient.connect(api.url)
  client.write(rawRequest(target('PutRecord'), '{}'))
  expect(refusalIn(await client.answer()).type).toBe('MissingAuthenticationTokenException')
  client.write(rawRequest({}, '', 'POST /streams/logs/flush HTTP/1.1'))
  expect(refusalIn(await client.answer()).type).toBe('MissingAuthenticationTokenException')
  client.write(rawRequest({}, '', 'GET /health HTTP/1.1'))
  expect((await client.answer()).body).toBe('ready')
})

test('the metrics token opens the route of the metrics, and no other', async () => {
  const metrics = metricsRoute('text/plain', () => Promise.resolve('up 1'))
  const metricsToken = 'sixteen-characters'
  await using api = await TestApi.start({
    accessKeys: [ROOT],
    routes: [metrics, flush],
    metricsToken,
  })
  using client = await RawClient.connect(api.url)
  const get = async (line: string, token: string) => {
    client.write(rawRequest({ Authorization: `Bearer ${token}` }, '', `${line} HTTP/1.1`))
    return await client.answer()
  }
  expect(await get('GET /metrics', metricsToken)).toMatchObject({ status: 200, body: 'up 1' })
  expect(refusalIn(await get('GET /metrics', `${metricsToken}x`))).toEqual({
    status: 403,
    type: 'ForbiddenException',
  })
  expect(refusalIn(await get('POST /streams/logs/flush', metricsToken)).status).toBe(400)
  client.write(rawRequest({}, '', 'GET /metrics HTTP/1.1'))
  expect(refusalIn(await client.answer()).type).toBe('MissingAuthenticationTokenException')
})

test('a stranger is refused before the body has come', async () => {
  await using api = await TestApi.start({ accessKeys: [ROOT] })
  using client = await RawClient.connect(api.url)
  client.write(rawRequest({ ...target('PutRecord'), 'Content-Length': '1000000' }, '{'))
  expect(refusalIn(await client.answer()).type).toBe('MissingAuthenticationTokenException')
})

test('of two equal headers none is taken for the signed one', async () => {
  await using api = await TestApi.start({ accessKeys: [ROOT] })
  using client = await RawClient.connect(api.url)
  const unsigned = {
    method: 'POST',
    path: '/',
    query: '',
    headers: { host: 'standpipe', ...lowerCase(target('PutRecord')) },
  }
  const credentials = { accessKeyId: 'ROOT', secretAccessKey: ROOT.secret, region: 'x' }
  const signed = sign(unsigned, Buffer.from('{}'), credentials, Date.now())
  const again = { ...(signed as Record<string, string>), ...target('DescribeDeliveryStream') }
  client.write(rawRequest(again, '{}'))
  expect(refusalIn(await client.answer()).type).toBe('InvalidSignatureException')
})

test('who may not is told so in the words of AWS, and nothing of the input', async () => {
  const reader = {
    id: 'READER',
    secret: 's',
    statements: [
      { Effect: 'Allow', Action: 'firehose:Describe*', Resource: LOGS },
      { Effect: 'Deny', Action: 'firehose:PutRecord', Resource: '*' },
    ],
  }
  await using api = await TestApi.start({ accessKeys: [reader] })
  const input = { DeliveryStreamName: 'other', Limit: 'nonsense' }
  expect(await call(api, reader, 'DescribeDeliveryStream', input)).toEqual({
    status: 400,
    body: {
      __type: 'AccessDeniedException',
      message:
        'User: arn:aws:iam::000000000000:user/READER is not authorized to perform: ' +
        'firehose:DescribeDeliveryStream on resource: ' +
        'arn:aws:firehose:us-east-1:000000000000:deliverystream/other because ' +
        'no identity-based policy allows the firehose:DescribeDeliveryStream action',
    },
  })
  expect((await call(api, reader, 'PutRecord', { DeliveryStreamName: 'logs' })).body).toEqual({
    __type: 'AccessDeniedException',
    message:
      'User: arn:aws:iam::000000000000:user/READER is not authorized to perform: ' +
      `firehose:PutRecord on resource: ${LOGS} with an explicit deny in an identity-based policy`,
  })
  const allowed = { DeliveryStreamName: 'logs' }
  expect((await call(api, reader, 'DescribeDeliveryStream', allowed)).status).toBe(200)
})

function allowRed(action: string, key: string): JsonObject {
  const Condition = { StringEquals: { [key]: 'red' } }
  return { Effect: 'Allow', Action: action, Resource: '*', Condition }
}

function teamTag(team: string): JsonObject {
  return { Tags: [{ Key: 'team', Value: team }] }
}

function doNothing(): Promise<JsonObject> {
  return Promise.resolve({})
}

test('tags of the request and of the stream decide', async () => {
  const red = {
    id: 'RED',
    secret: 's',
    statements: [
      allowRed('firehose:TagDeliveryStream', 'aws:RequestTag/team'),
      allowRed('firehose:DescribeDeliveryStream', 'aws:ResourceTag/team'),
      {
        ...allowRed('firehose:UntagDeliveryStream', 'aws:ResourceTag/team'),
        Condition: { 'ForAllValues:StringNotEquals': { 'aws:TagKeys': 'team' } },
      },
    ],
  }
  await using api = await TestApi.start({
    accessKeys: [red],
    tags: { mine: [{ Key: 'team', Value: 'red' }], yours: [{ Key: 'team', Value: 'blue' }] },
    operations: { TagDeliveryStream: doNothing, UntagDeliveryStream: doNothing },
  })
  const statusOf = async (operation: string, input: JsonObject) =>
    (await call(api, red, operation, { DeliveryStreamName: 'mine', ...input })).status
  expect([
    await statusOf('TagDeliveryStream', teamTag('red')),
    await statusOf('TagDeliveryStream', teamTag('blue')),
    await statusOf('DescribeDeliveryStream', {}),
    await statusOf('DescribeDeliveryStream', { DeliveryStreamName: 'yours' }),
    await statusOf('UntagDeliveryStream', { TagKeys: ['cost'] }),
    await statusOf('UntagDeliveryStream', { TagKeys: ['cost', 'team'] }),
  ]).toEqual([200, 400, 200, 400, 200, 400])
})

test('tags and names that an operation does not read decide nothing', async () => {
  const cunning = {
    id: 'CUNNING',
    secret: 's',
    statements: [
      allowRed('firehose:D*', 'aws:RequestTag/team'),
      { Effect: 'Allow', Action: 'firehose:List*', Resource: LOGS },
    ],
  }
  const operations = { ListDeliveryStreams: doNothing }
  await using api = await TestApi.start({ accessKeys: [cunning], operations })
  const input = { DeliveryStreamName: 'logs', ...teamTag('red') }
  expect([
    (await call(api, cunning, 'DescribeDeliveryStream', input)).body['__type'],
    (await call(api, cunning, 'ListDeliveryStreams', input)).body['__type'],
  ]).toEqual(['AccessDeniedException', 'AccessDeniedException'])
})

test('creating with tags asks for leave to tag', async () => {
  const maker = {
    id: 'MAKER',
    secret: 's',
    statements: [{ Effect: 'Allow', Action: 'firehose:CreateDeliveryStream', Resource: '*' }],
  }
  const operations = { CreateDeliveryStream: () => Promise.resolve({ DeliveryStreamARN: LOGS }) }
  await using api = await TestApi.start({ accessKeys: [maker], operations })
  const input = { DeliveryStreamName: 'logs' }
  expect((await call(api, maker, 'CreateDeliveryStream', input)).status).toBe(200)
  const tagged = { ...input, Tags: [{ Key: 'team' }] }
  expect((await call(api, maker, 'CreateDeliveryStream', tagged)).body['message']).toContain(
    'not authorized to perform: firehose:TagDeliveryStream',
  )
})

test('routes of our own ask for actions of our own', async () => {
  const flusher = {
    id: 'FLUSHER',
    secret: 's',
    statements: [{ Effect: 'Allow', Action: 'standpipe:FlushDeliveryStream', Resource: LOGS }],
  }
  await using api = await TestApi.start({ accessKeys: [flusher], routes: [flush] })
  const logs = await request(api, flusher, {}, '', ['POST', '/streams/logs/flush'])
  expect({ status: logs.status, body: logs.body }).toEqual({
    status: 202,
    body: '{"flushed":"logs"}',
  })
  const other = await request(api, flusher, {}, '', ['POST', '/streams/other/flush'])
  expect(refusalIn(other).type).toBe('AccessDeniedException')
  expect(api.audit.map(({ eventName, errorCode }) => [eventName, errorCode])).toEqual([
    ['FlushDeliveryStream', undefined],
    ['FlushDeliveryStream', 'AccessDeniedException'],
  ])
})

test('control operations leave a line in the audit trail, secrets masked', async () => {
  const operations = { CreateDeliveryStream: () => Promise.resolve({ DeliveryStreamARN: LOGS }) }
  await using api = await TestApi.start({ accessKeys: [ROOT], operations })
  const input = {
    DeliveryStreamName: 'logs',
    HttpEndpointDestinationConfiguration: {
      EndpointConfiguration: { Url: 'https://x', AccessKey: 'hush', accesskey: 'hush' },
      S3Configuration: {
        RoleARN: 'arn:aws:iam::000000000000:role/r',
        BucketARN: 'arn:aws:s3:::b',
      },
      SecretsManagerConfiguration: {
        Enabled: false,
        SecretARN: 'arn:aws:secretsmanager:r:000000000000:secret:s',
      },
    },
  }
  await request(
    api,
    ROOT,
    { ...target('CreateDeliveryStream'), 'User-Agent': 'test' },
    JSON.stringify(input),
  )
  expect(api.audit).toEqual([
    {
      eventVersion: '1.08',
      userIdentity: {
        type: 'IAMUser',
        principalId: 'ROOT',
        arn: 'arn:aws:iam::000000000000:user/ROOT',
        accountId: '000000000000',
        accessKeyId: 'ROOT',
        userName: 'ROOT',
      },
      eventTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      eventSource: 'firehose.amazonaws.com',
      eventName: 'CreateDeliveryStream',
      awsRegion: 'us-east-1',
      sourceIPAddress: '127.0.0.1',
      userAgent: 'test',
      requestParameters: {
        deliveryStreamName: 'logs',
        httpEndpointDestinationConfiguration: {
          endpointConfiguration: {
            url: 'HIDDEN_DUE_TO_SECURITY_REASONS',
            accessKey: 'HIDDEN_DUE_TO_SECURITY_REASONS',
            accesskey: 'HIDDEN_DUE_TO_SECURITY_REASONS',
          },
          s3Configuration: {
            roleARN: 'arn:aws:iam::000000000000:role/r',
            bucketARN: 'arn:aws:s3:::b',
          },
          secretsManagerConfiguration: {
            enabled: false,
            secretARN: 'arn:aws:secretsmanager:r:000000000000:secret:s',
          },
        },
      },
      responseElements: { deliveryStreamARN: LOGS },
      requestID: expect.any(String),
      eventID: expect.any(String),
      readOnly: false,
      eventType: 'AwsApiCall',
      managementEvent: true,
      recipientAccountId: '000000000000',
    },
  ])
})

test('puts leave no line, refusals and readers do', async () => {
  await using api = await TestApi.start({ accessKeys: [ROOT] })
  await call(api, ROOT, 'PutRecord', { DeliveryStreamName: 'logs' })
  await call(api, ROOT, 'DescribeDeliveryStream', {})
  await request(api, ROOT, target('DescribeDeliveryStream'), '{')
  expect(
    api.audit.map(({ eventName, readOnly, errorCode, requestParameters }) => ({
      eventName,
      readOnly,
      errorCode,
      requestParameters,
    })),
  ).toEqual([
    {
      eventName: 'DescribeDeliveryStream',
      readOnly: true,
      errorCode: 'ValidationException',
      requestParameters: {},
    },
    {
      eventName: 'DescribeDeliveryStream',
      readOnly: true,
      errorCode: 'SerializationException',
      requestParameters: null,
    },
  ])
})

test('an id that comes twice is refused when loading', () => {
  expect(() => new AccessKeys([ROOT, { ...ROOT, secret: 'other' }], systemClock)).toThrow(
    'Cannot use access keys: an id comes twice',
  )
})

test('a bad statement is refused when loading, with the name of its key', () => {
  const statements = [{ Effect: 'Allow', Action: 'firehose:Nonsense', Resource: '*' }]
  expect(() => new AccessKeys([{ ...ROOT, statements }], systemClock)).toThrow(PolicyError)
  expect(() => new AccessKeys([{ ...ROOT, statements }], systemClock)).toThrow(
    'Cannot use access key ROOT: Cannot use the action firehose:Nonsense: no operation of Firehose matches',
  )
})
