import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { DeliveryError } from '../../src/destination.ts'
import type { EncodedOutput } from '../../src/destination.ts'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { contextWith, DeliveredBatch, streamTo } from '../../test/fakes/delivered-batch.ts'
import { ScriptedHttp } from '../../test/fakes/scripted-http.ts'
import type { ScriptedAnswer, ScriptedRequest } from '../../test/fakes/scripted-http.ts'
import { httpEndpoint } from './index.ts'

const CONTEXT = { strictAws: false, objectStoreKind: 'folder' } as const
const S3 = {
  RoleARN: 'arn:aws:iam::000000000000:role/firehose',
  BucketARN: 'arn:aws:s3:::failed',
}

function configuration(url: string, members: JsonObject = {}, endpoint: JsonObject = {}) {
  const given = {
    EndpointConfiguration: { Url: url, ...endpoint },
    S3Configuration: S3,
    ...members,
  }
  return httpEndpoint.create('HttpEndpointDestinationConfiguration', given, CONTEXT)
}

function taken({ headers }: ScriptedRequest, members: JsonObject = {}): ScriptedAnswer {
  const requestId = headers['x-amz-firehose-request-id'] ?? ''
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ requestId, timestamp: 1_594_265_943_615, ...members }),
  }
}

async function failureOf(attempt: Promise<unknown>): Promise<DeliveryError> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof DeliveryError) return error
  throw new Error('The attempt did not fail', { cause: error })
}

async function oneRequest(
  http: ScriptedHttp,
  members: JsonObject = {},
  endpoint: JsonObject = {},
  context = contextWith(),
) {
  const stream = streamTo('HttpEndpoint', configuration(`${http.url}/in?x=1`, members, endpoint))
  const batch = new DeliveredBatch(httpEndpoint.open(context), stream, [['a', ''], ['é\n']])
  const [output] = (await batch.encode()) as [EncodedOutput]
  return { batch, output }
}

test('a request is as the protocol has it', async () => {
  await using http = await ScriptedHttp.start(taken)
  const { batch, output } = await oneRequest(
    http,
    {
      RequestConfiguration: {
        CommonAttributes: [
          { AttributeName: 'city', AttributeValue: 'Zürich "1"' },
          { AttributeName: 'a', AttributeValue: 'b' },
        ],
      },
    },
    { AccessKey: 'k e:y' },
  )

  expect(await batch.deliver(output)).toEqual([])

  const [{ path, headers, body }] = http.requests as [ScriptedRequest]
  const requestId = (output.target as { requestId: string }).requestId
  expect(path).toBe('/in?x=1')
  expect(requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(headers).toEqual({
    host: new URL(http.url).host,
    connection: 'keep-alive',
    'content-type': 'application/json',
    'content-length': String(body.byteLength),
    'x-amz-firehose-protocol-version': '1.0',
    'x-amz-firehose-request-id': requestId,
    'x-amz-firehose-source-arn': 'arn:aws:firehose:us-east-1:000000000000:deliverystream/logs',
    'x-amz-firehose-access-key': 'k e:y',
    'x-amz-firehose-common-attributes':
      '{"commonAttributes":{"city":"Z\\u00fcrich \\"1\\"","a":"b"}}',
  })
  expect(body.toString()).toBe(
    `{"requestId":"${requestId}","timestamp":${batch.batch.sealedAtMs},` +
      '"records":[{"data":"YQ=="},{"data":""},{"data":"w6kK"}]}',
  )
})

test('a repeat has the same id and the same bytes, under gzip and from names frozen before', async () => {
  await using http = await ScriptedHttp.start(() => ({ status: 500 }))
  const { batch, output } = await oneRequest(http, {
    RequestConfiguration: { ContentEncoding: 'GZIP' },
  })
  await failureOf(batch.deliver(output))
  const [again] = (await batch.encode([output])) as [EncodedOutput]
  http.answer = taken
  await batch.deliver(again)

  const [first, second] = http.requests as [ScriptedRequest, ScriptedRequest]
  expect(second).toEqual(first)
  expect(first.headers['content-encoding']).toBe('gzip')
  expect(JSON.parse(gunzipSync(first.body).toString())).toMatchObject({
    records: [{ data: 'YQ==' }, { data: '' }, { data: 'w6kK' }],
  })
})

test('a batch is cut into requests of 10,000 records, each with its range', async () => {
  const stream = streamTo('HttpEndpoint', configuration('http://localhost/'))
  const chunk = Array.from({ length: 500 }, (_, index) => String(index))
  const chunks = [...Array.from({ length: 30 }, () => chunk), { lost: 500 }, chunk]
  const batch = new DeliveredBatch(httpEndpoint.open(contextWith()), stream, chunks)
  const outputs = await batch.encode()

  expect(outputs.map(({ recordCount, range }) => ({ recordCount, range }))).toEqual([
    { recordCount: 10_000, range: { from: 0, to: 10_000 } },
    { recordCount: 5_500, range: { from: 10_000, to: 16_000 } },
  ])
  expect(new Set(outputs.map(({ target }) => JSON.stringify(target))).size).toBe(2)
})

test('a batch is cut so that no body is larger than a partner takes', async () => {
  const stream = streamTo('HttpEndpoint', configuration('https://x.aws.found.io/'))
  const record = 'x'.repeat(400_000)
  const batch = new DeliveredBatch(httpEndpoint.open(contextWith()), stream, [
    [record, record, record, 'y', 'x'.repeat(1_024_000)],
  ])
  const outputs = await batch.encode()
  expect(outputs.map(({ range }) => range)).toEqual([
    { from: 0, to: 2 },
    { from: 2, to: 4 },
    { from: 4, to: 5 },
  ])
})

test('requests that were cut keep their ranges when records are lost later', async () => {
  await using http = await ScriptedHttp.start(taken)
  const stream = streamTo('HttpEndpoint', configuration(http.url))
  const destination = httpEndpoint.open(contextWith())
  const chunk = Array.from({ length: 10_000 }, () => 'a')
  const whole = new DeliveredBatch(destination, stream, [chunk, chunk, ['b'], chunk])
  const frozen = await whole.encode()
  const batch = new DeliveredBatch(destination, stream, [
    { lost: 10_000 },
    { lost: 10_000 },
    ['b'],
    { lost: 10_000 },
  ])
  const outputs = await batch.encode(frozen)

  expect(outputs.map(({ target, range, recordCount }) => ({ target, range, recordCount }))).toEqual(
    frozen.map(({ target, range }, index) => ({
      target,
      range,
      recordCount: index === 2 ? 1 : 0,
    })),
  )
  for (const output of outputs) await batch.deliver(output)
  expect(http.requests.map(({ body }) => JSON.parse(body.toString()).records)).toEqual([
    [{ data: 'Yg==' }],
  ])
})

test('AllData backs all records up beside the requests', async () => {
  const stream = streamTo(
    'HttpEndpoint',
    configuration('http://localhost/', { S3BackupMode: 'AllData' }),
  )
  const batch = new DeliveredBatch(httpEndpoint.open(contextWith()), stream, [['a', 'b'], ['c']])
  const outputs = await batch.encode()
  expect(
    outputs.map(({ kind, accounting, recordCount }) => [kind, accounting, recordCount]),
  ).toEqual([
    ['s3-backup', 'copy', 3],
    ['http-request', 'delivered', 3],
  ])
  expect((await outputs[0]?.content?.read(0, 3))?.toString()).toBe('abc')
})

const JSON_TYPE = { 'Content-Type': 'application/json' }

test.each<[string, (request: ScriptedRequest) => ScriptedAnswer, Partial<DeliveryError>]>([
  ['500', () => ({ status: 500 }), { retryable: true, effect: 'unknown', brake: false }],
  ['202', () => ({ status: 202 }), { retryable: true, effect: 'unknown', brake: false }],
  ['400', () => ({ status: 400 }), { retryable: true, effect: 'none', brake: false }],
  ['401', () => ({ status: 401 }), { retryable: true, effect: 'none', brake: true }],
  ['403', () => ({ status: 403 }), { retryable: true, effect: 'none', brake: true }],
  ['404', () => ({ status: 404 }), { retryable: true, effect: 'none', brake: true }],
  ['413', () => ({ status: 413 }), { retryable: false, effect: 'none', brake: false }],
  [
    'a redirect, which is not followed',
    () => ({ status: 307, headers: { Location: '/elsewhere' } }),
    { retryable: true, effect: 'none', brake: false },
  ],
  [
    '429 with Retry-After in seconds',
    () => ({ status: 429, headers: { 'Retry-After': '7' } }),
    { retryable: true, effect: 'none', retryAfterMs: 7_000 },
  ],
  [
    '503 with Retry-After as a date',
    () => ({ status: 503, headers: { 'Retry-After': 'Mon, 13 Jul 2026 14:15:26 GMT' } }),
    { retryable: true, effect: 'unknown', retryAfterMs: 10_000 },
  ],
])('%s is a failure', async (_name, answer, expected) => {
  await using http = await ScriptedHttp.start(answer)
  const context = contextWith({ clock: new ManualClock() })
  const { batch, output } = await oneRequest(http, {}, {}, context)
  expect(await failureOf(batch.deliver(output))).toMatchObject({
    errorCode: 'HttpEndpoint.DestinationException',
    ...expected,
  })
  expect(http.requests).toHaveLength(1)
})

test.each<[string, (request: ScriptedRequest) => ScriptedAnswer, string]>([
  ['another id', (request) => taken(request, { requestId: 'other' }), 'its requestId is not'],
  ['no id', (request) => taken(request, { requestId: null }), 'its requestId is not'],
  ['a timestamp in text', (request) => taken(request, { timestamp: '1' }), 'its timestamp'],
  [
    'text',
    () => ({ status: 200, headers: JSON_TYPE, body: 'ok' }),
    'its body is not a JSON object',
  ],
  ['nothing', () => ({ status: 200, headers: JSON_TYPE }), 'its body is not a JSON object'],
  ['JSON that is called text', () => ({ status: 200, body: '{}' }), 'its Content-Type'],
])('a 200 with %s is a failure, and may have taken effect', async (_name, answer, reason) => {
  await using http = await ScriptedHttp.start(answer)
  const { batch, output } = await oneRequest(http)
  const failure = await failureOf(batch.deliver(output))
  expect(failure).toMatchObject({
    errorCode: 'HttpEndpoint.InvalidResponseFromDestination',
    retryable: true,
    effect: 'unknown',
  })
  expect(failure.message).toContain(reason)
})

test('an answer of more than 1 MiB is a failure', async () => {
  await using http = await ScriptedHttp.start((request) =>
    taken(request, { padding: 'x'.repeat(1024 * 1024) }),
  )
  const { batch, output } = await oneRequest(http)
  expect(await failureOf(batch.deliver(output))).toMatchObject({
    errorCode: 'HttpEndpoint.ResponseTooLarge',
    retryable: true,
    effect: 'unknown',
  })
})

test("a failure carries the endpoint's words, to a length, and no secret", async () => {
  await using http = await ScriptedHttp.start(() => ({
    status: 400,
    body: `no such key SESAME ${'x'.repeat(10_000)}`,
  }))
  const { batch, output } = await oneRequest(http, {}, { AccessKey: 'SESAME' })
  const { message } = await failureOf(batch.deliver(output))
  expect(message).toHaveLength(8192)
  expect(message.slice(0, 95)).toBe(
    'Received the following response from the endpoint destination. 400 no such key *** xxxxxxxxxxxx',
  )
})

test('a request that is not answered fails after three minutes', async () => {
  const clock = new ManualClock()
  await using http = await ScriptedHttp.start(() => {
    clock.advance(180_000)
    return 'hang'
  })
  const { batch, output } = await oneRequest(http, {}, {}, contextWith({ clock }))
  expect(await failureOf(batch.deliver(output))).toMatchObject({
    errorCode: 'HttpEndpoint.RequestTimeout',
    retryable: true,
    effect: 'unknown',
  })
})

test('a connection that breaks after the request may have had an effect', async () => {
  await using http = await ScriptedHttp.start(() => 'reset')
  const { batch, output } = await oneRequest(http)
  expect(await failureOf(batch.deliver(output))).toMatchObject({
    errorCode: 'HttpEndpoint.ConnectionReset',
    effect: 'unknown',
  })
})

test('where nobody listens there is no effect', async () => {
  const http = await ScriptedHttp.start(taken)
  const { batch, output } = await oneRequest(http)
  await http[Symbol.asyncDispose]()
  const failure = await failureOf(batch.deliver(output))
  expect(failure).toMatchObject({ errorCode: 'HttpEndpoint.ConnectionFailed', effect: 'none' })
  expect(failure.message).not.toContain('/in')
})

test('an abort ends the attempt', async () => {
  const stop = new AbortController()
  await using http = await ScriptedHttp.start(() => {
    stop.abort()
    return 'hang'
  })
  const { batch, output } = await oneRequest(http)
  const attempt = batch.deliver(output, { signal: stop.signal })
  expect(await failureOf(attempt)).toMatchObject({ retryable: true, effect: 'unknown' })
})

test('the address and the key are those of now, the encoding the one that was frozen', async () => {
  await using http = await ScriptedHttp.start(taken)
  const stream = streamTo(
    'HttpEndpoint',
    configuration('http://127.0.0.1:1/', { RequestConfiguration: { ContentEncoding: 'GZIP' } }),
  )
  const batch = new DeliveredBatch(httpEndpoint.open(contextWith()), stream, [['a']])
  const [output] = (await batch.encode()) as [EncodedOutput]
  const currentStream = streamTo('HttpEndpoint', configuration(http.url, {}, { AccessKey: 'new' }))
  await batch.deliver(output, { currentStream })
  const [{ headers }] = http.requests as [ScriptedRequest]
  expect(headers).toMatchObject({
    'content-encoding': 'gzip',
    'x-amz-firehose-access-key': 'new',
  })
})

test("the access key comes from the host's secrets when AWS would take it from its own", async () => {
  await using http = await ScriptedHttp.start(taken)
  const secrets: Record<string, JsonObject> = { 'arn:good': { api_key: 'from the host' } }
  const connections = {
    find: () => undefined,
    secret: (arn: string) => Promise.resolve(secrets[arn] ?? {}),
  }
  const using = (SecretARN: string) =>
    oneRequest(
      http,
      { SecretsManagerConfiguration: { Enabled: true, SecretARN } },
      { AccessKey: 'inline' },
      contextWith({ connections }),
    )
  const { batch, output } = await using('arn:good')
  await batch.deliver(output)
  expect(http.requests[0]?.headers['x-amz-firehose-access-key']).toBe('from the host')

  const other = await using('arn:bad')
  expect(await failureOf(other.batch.deliver(other.output))).toMatchObject({
    errorCode: 'HttpEndpoint.SecretUnavailable',
    brake: true,
    effect: 'none',
  })
  expect(http.requests).toHaveLength(1)
})

test('what is given up goes to the error output with the members that AWS has', async () => {
  await using http = await ScriptedHttp.start(taken)
  const { batch } = await oneRequest(http, { RetryOptions: { DurationInSeconds: 60 } })
  const policy = httpEndpoint.open(contextWith()).failurePolicy?.(batch.stream)
  expect(policy).toMatchObject({
    retryDurationMs: 60_000,
    atLeastOnce: true,
    errorOutputType: 'http-endpoint-failed',
  })
  const [frozen] = (await batch.encode()) as [EncodedOutput]
  const output = { ...frozen, sizeBytes: 0, sha256: '', formerSha256s: [] }
  expect(policy?.errorMembers(1, output, batch.batch)).toEqual({
    subsequenceNumber: 0,
    dataId: expect.stringMatching(/^\d{55}1\.0$/) as string,
  })
})
