/** Callers that can't sign: who they are is in X-Amz-Firehose-Access-Key, on routes that take it. */
import { expect, test } from 'vitest'
import { RawClient, rawRequest } from '../../test/fakes/raw-client.ts'
import { TestApi } from '../../test/fakes/test-api.ts'
import type { TestApiOptions } from '../../test/fakes/test-api.ts'
import type { JsonObject } from '../base/json.ts'
import type { Route } from './operation.ts'
import { firehoseEndpoint } from './rest/firehose-endpoint.ts'
import { sign } from './sigv4.ts'

const ROOT = { id: 'ROOT', secret: 'root:secret' }
const LOGS_ARN = 'arn:aws:firehose:us-east-1:000000000000:deliverystream/logs'
const WRITER = {
  id: 'WRITER',
  secret: 'writer-secret',
  statements: [{ Effect: 'Allow', Action: 'firehose:PutRecordBatch', Resource: LOGS_ARN }],
}
const READER = {
  ...WRITER,
  id: 'READER',
  statements: [{ Effect: 'Allow', Action: ['firehose:Describe*', 'standpipe:*'], Resource: '*' }],
}
const accessKeys = [ROOT, WRITER, READER]

type Headers = Record<string, string>

/** The real one, except that it says who called instead of taking records. */
const endpoint: Route = {
  ...firehoseEndpoint,
  handle: ({ caller, body }) =>
    Promise.resolve({
      statusCode: 200,
      body: { accessKeyId: caller.accessKeyId ?? null, bodyBytes: body.byteLength },
    }),
}
const flush: Route = {
  method: 'POST',
  path: '/streams/{name}/flush',
  action: 'FlushDeliveryStream',
  bodyBytesMax: 0,
  audited: false,
  handle: () => Promise.resolve({ statusCode: 202, body: {} }),
}

const start = (options: TestApiOptions = { accessKeys }): Promise<TestApi> =>
  TestApi.start({ routes: [endpoint, flush], ...options })

async function post(
  api: TestApi,
  headers: Headers,
  { path = '/streams/logs/firehose', body = '{}' } = {},
) {
  using client = await RawClient.connect(api.url)
  const sent = { host: 'localhost', 'x-amz-firehose-request-id': 'r1', ...headers }
  client.write(rawRequest(sent, body, `POST ${path} HTTP/1.1`))
  const answer = await client.answer()
  return {
    status: answer.status,
    contentType: answer.headers.get('content-type'),
    body: JSON.parse(answer.body) as JsonObject,
  }
}

const withKey = (text: string): Headers => ({ 'x-amz-firehose-access-key': text })
const refused = (status: number, errorMessage: unknown): object => ({
  status,
  contentType: 'application/json',
  body: { requestId: 'r1', timestamp: expect.any(Number), errorMessage },
})

test.each([ROOT, WRITER])(
  'an access key in the header is as good as a signature: $id',
  async ({ id, secret }) => {
    await using api = await start()
    expect(await post(api, withKey(`${id}:${secret}`))).toMatchObject({
      status: 200,
      body: { accessKeyId: id, bodyBytes: 2 },
    })
    expect(api.audit).toEqual([])
  },
)

test('a signature is taken as everywhere', async () => {
  await using api = await start()
  const headers = { host: 'localhost', 'x-amz-firehose-request-id': 'r1' }
  const request = { method: 'POST', path: '/streams/logs/firehose', query: '', headers }
  const credentials = { accessKeyId: 'WRITER', secretAccessKey: WRITER.secret, region: 'eu-west-1' }
  const signed = sign(request, Buffer.from('{}'), credentials, Date.now()) as Headers
  expect(await post(api, signed)).toMatchObject({
    status: 200,
    body: { accessKeyId: 'WRITER' },
  })
  const altered = await post(api, signed, { body: '[]' })
  expect(altered).toEqual(refused(401, expect.stringContaining('does not match')))
  // Who signs is not believed by his word besides.
  const other = {
    ...signed,
    ...withKey(`ROOT:${ROOT.secret}`),
    authorization: 'AWS4-HMAC-SHA256 x',
  }
  expect(await post(api, other)).toMatchObject({ status: 401 })
})

test.each([
  'ROOT:wrong',
  'ROOT:',
  'ROOT',
  ':root:secret',
  'root:root:secret',
  'ROOT:root:secret, ROOT:root:secret',
  'NOBODY:root:secret',
  '',
])('a key that is none is refused before the body is looked at: %s', async (text) => {
  await using api = await start()
  expect(await post(api, withKey(text))).toEqual(
    refused(401, 'The security token included in the request is invalid.'),
  )
})

test('without key and signature nothing is taken', async () => {
  await using api = await start()
  expect(await post(api, {})).toEqual(refused(401, 'Missing Authentication Token'))
})

test('the policy of the key must allow firehose:PutRecordBatch on the stream', async () => {
  await using api = await start()
  const elsewhere = { path: '/streams/other/firehose' }
  expect(await post(api, withKey(`WRITER:${WRITER.secret}`), elsewhere)).toEqual(
    refused(403, expect.stringContaining('is not authorized to perform: firehose:PutRecordBatch')),
  )
  expect(await post(api, withKey(`READER:${READER.secret}`))).toMatchObject({ status: 403 })
})

test('other routes take no such key', async () => {
  await using api = await start()
  const path = '/streams/logs/flush'
  expect(await post(api, withKey(`ROOT:${ROOT.secret}`), { path, body: '' })).toMatchObject({
    status: 400,
    body: { __type: 'MissingAuthenticationTokenException' },
  })
})

test('without access keys the header says nothing, and web pages are refused', async () => {
  await using api = await start({ allowedHosts: [] })
  expect(await post(api, withKey('any'))).toMatchObject({
    status: 200,
    body: { accessKeyId: null },
  })
  expect(await post(api, { origin: 'http://example.org' })).toMatchObject({ status: 403 })
  expect(await post(api, { host: 'example.org' })).toMatchObject({ status: 403 })
})

test('what is refused before the route, or fails within it, is told in its form', async () => {
  const fails: Route = { ...endpoint, handle: () => Promise.reject(new Error('secret reason')) }
  await using api = await start({
    routes: [fails, { ...endpoint, path: '/small/{name}', bodyBytesMax: 1 }],
    accessKeys,
  })
  const key = withKey(`ROOT:${ROOT.secret}`)
  expect(await post(api, key)).toEqual(refused(500, 'The request processing has failed'))
  expect(api.errors).toHaveLength(1)
  expect(await post(api, key, { path: '/small/logs' })).toEqual(
    refused(413, 'Cannot take the body: it exceeds 1 bytes'),
  )
})

test('no room for the body now is no reason to give the request up', async () => {
  await using api = await start({ accessKeys, bodyLimits: { bodyBytesTotalMax: 1 } })
  expect(await post(api, withKey(`ROOT:${ROOT.secret}`))).toEqual(refused(503, 'Slow down.'))
})
