import { expect, test } from 'vitest'
import { RawClient, rawRequest, refusalIn, target } from '../../test/fakes/raw-client.ts'
import { TestApi } from '../../test/fakes/test-api.ts'
import type { TestApiOptions } from '../../test/fakes/test-api.ts'

const PUT = JSON.stringify({ DeliveryStreamName: 'logs', Record: { Data: '' } })
const PUT_ANSWER = JSON.stringify({ DeliveryStreamName: 'logs', bodyBytes: PUT.length })

async function open(options: TestApiOptions = {}) {
  const api = await TestApi.start(options)
  const client = await RawClient.connect(api.url)
  return {
    api,
    client,
    async [Symbol.asyncDispose](): Promise<void> {
      client.destroy()
      await api[Symbol.asyncDispose]()
    },
  }
}

/** The service is as well as before. */
async function expectGoodPut(api: TestApi): Promise<void> {
  using client = await RawClient.connect(api.url)
  client.write(rawRequest(target('PutRecord'), PUT))
  const { status, body } = await client.answer()
  expect({ status, body }).toEqual({ status: 200, body: PUT_ANSWER })
}

test('answers one request after another on a connection', async () => {
  await using session = await open()
  session.client.write(rawRequest(target('PutRecord'), PUT).repeat(2))
  const answers = [await session.client.answer(), await session.client.answer()]
  expect(answers.map(({ body }) => body)).toEqual([PUT_ANSWER, PUT_ANSWER])
  const [first, second] = answers.map(({ headers }) => headers)
  expect(first?.get('content-type')).toBe('application/x-amz-json-1.1')
  expect(first?.get('x-amzn-requestid')).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  expect(first?.get('x-amzn-requestid')).not.toBe(second?.get('x-amzn-requestid'))
})

test('an error is told in the body and in the headers', async () => {
  await using session = await open()
  session.client.write(rawRequest(target('Nonsense'), '{}'))
  const { status, headers, body } = await session.client.answer()
  expect({ status, type: headers.get('x-amzn-errortype'), body: JSON.parse(body) }).toEqual({
    status: 400,
    type: 'UnknownOperationException',
    body: {
      __type: 'UnknownOperationException',
      message: 'The requested operation is not known',
    },
  })
})

test('a body may come in any number of pieces', async () => {
  await using session = await open()
  const request = rawRequest(target('PutRecord'), PUT)
  for (const character of request) session.client.write(character)
  expect((await session.client.answer()).body).toBe(PUT_ANSWER)
})

test('a chunked body is taken', async () => {
  await using session = await open()
  const chunks = PUT.replaceAll(/./g, '1\r\n$&\r\n')
  session.client.write(
    'POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: Firehose_20150804.PutRecord\r\n' +
      `Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
  )
  expect((await session.client.answer()).body).toBe(PUT_ANSWER)
})

test('a client that waits to be told gets its 100', async () => {
  await using session = await open()
  const headers = { ...target('PutRecord'), Expect: '100-continue' }
  session.client.write(rawRequest({ ...headers, 'Content-Length': String(PUT.length) }, ''))
  expect((await session.client.answer()).status).toBe(100)
  session.client.write(PUT)
  expect((await session.client.answer()).body).toBe(PUT_ANSWER)
})

test('a client that waits with too large a body is refused without it', async () => {
  await using session = await open({ bodyLimits: { bodyBytesMax: 100 } })
  const headers = { ...target('PutRecord'), Expect: '100-continue', 'Content-Length': '101' }
  session.client.write(rawRequest(headers, ''))
  const answer = await session.client.answer()
  expect(refusalIn(answer)).toEqual({ status: 413, type: 'RequestEntityTooLargeException' })
  await session.client.closed()
})

test('too large a body is refused by its length, before it comes', async () => {
  await using session = await open()
  const headers = { ...target('PutRecord'), 'Content-Length': '1000000000000' }
  session.client.write(rawRequest(headers, '{'))
  expect(refusalIn(await session.client.answer())).toEqual({
    status: 413,
    type: 'RequestEntityTooLargeException',
  })
  await expectGoodPut(session.api)
})

test('a chunked body is refused when it has grown too large', async () => {
  await using session = await open({ bodyLimits: { bodyBytesMax: 100 } })
  session.client.write(
    'POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: Firehose_20150804.PutRecord\r\n' +
      `Transfer-Encoding: chunked\r\n\r\n64\r\n${'x'.repeat(100)}\r\n1\r\nx\r\n`,
  )
  expect(refusalIn(await session.client.answer())).toEqual({
    status: 413,
    type: 'RequestEntityTooLargeException',
  })
})

test('bodies beyond what the process may hold are told to slow down', async () => {
  await using session = await open({ bodyLimits: { bodyBytesTotalMax: 300 } })
  using slow = await RawClient.connect(session.api.url)
  slow.write(rawRequest({ ...target('PutRecord'), 'Content-Length': '400' }, 'x'.repeat(280)))
  const refusal = { status: 503, type: 'ServiceUnavailableException' }
  // Until the slow one's bytes have arrived, its rival is answered otherwise.
  await expect
    .poll(async () => {
      session.client.write(rawRequest(target('PutRecord'), PUT))
      return refusalIn(await session.client.answer())
    })
    .toEqual(refusal)
  slow.destroy()
  await expect
    .poll(async () => {
      session.client.write(rawRequest(target('PutRecord'), PUT))
      return (await session.client.answer()).status
    })
    .toBe(200)
})

test('a POST that does not tell its length is refused', async () => {
  await using session = await open()
  session.client.write('POST / HTTP/1.1\r\nHost: x\r\n\r\n')
  expect(refusalIn(await session.client.answer())).toEqual({
    status: 411,
    type: 'LengthRequiredException',
  })
})

test('a POST to what takes no body need not tell its length', async () => {
  await using session = await open({
    routes: [
      {
        method: 'POST',
        path: '/act',
        action: undefined,
        bodyBytesMax: 0,
        audited: false,
        handle: ({ body }) =>
          Promise.resolve({ statusCode: 200, body: { bytes: body.byteLength } }),
      },
    ],
  })
  session.client.write('POST /act HTTP/1.1\r\nHost: x\r\n\r\n')
  const { status, body } = await session.client.answer()
  expect({ status, body }).toEqual({ status: 200, body: '{"bytes":0}' })
  await expectGoodPut(session.api)
})

test('a client that goes away within its request leaves no trace', async () => {
  await using session = await open()
  session.client.write(
    rawRequest({ ...target('DescribeDeliveryStream'), 'Content-Length': '9' }, '{'),
  )
  session.client.destroy()
  await expectGoodPut(session.api)
  expect({ audit: session.api.audit, errors: session.api.errors }).toEqual({
    audit: [],
    errors: [],
  })
})

test.each([
  ['two lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}'],
  ['a length and chunks', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['chunks that are not the last coding', 'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n'],
  ['a length with a sign', 'Content-Length: +2\r\n\r\n{}'],
  ['a space before the colon', 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
  ['a folded header', 'X-A: b\r\n Content-Length: 2\r\n\r\n{}'],
  ['a bare carriage return', 'X-A: b\rContent-Length: 2\r\n\r\n{}'],
  ['a null byte', 'X-A: b\0\r\n\r\n'],
  ['a chunk size that is no number', 'Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n'],
  ['headers without end', 'X-A: b\r\n'.repeat(10_000)],
])('refuses %s and closes', async (_, rest) => {
  await using session = await open()
  session.client.write(`POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: Firehose_20150804.X\r\n${rest}`)
  const answer = await session.client.answer()
  expect(refusalIn(answer).type).toBe('BadRequestException')
  expect(answer.headers.get('connection')).toBe('close')
  await session.client.closed()
  await expectGoodPut(session.api)
})

test('slow senders of headers and of bodies are cut off', async () => {
  const serverLimits = { headersTimeoutMs: 100, requestTimeoutMs: 200 }
  await using session = await open({ serverLimits })
  using slowBody = await RawClient.connect(session.api.url)
  session.client.write('POST / HTTP/1.1\r\n')
  slowBody.write(rawRequest({ ...target('PutRecord'), 'Content-Length': '9' }, '{'))
  for (const client of [session.client, slowBody]) {
    expect(refusalIn(await client.answer())).toEqual({
      status: 408,
      type: 'RequestTimeoutException',
    })
    await client.closed()
  }
  await expectGoodPut(session.api)
})

test('connections beyond the limit are closed', async () => {
  await using session = await open({ serverLimits: { connectionCountMax: 1 } })
  using second = await RawClient.connect(session.api.url)
  await second.closed()
  session.client.write(rawRequest(target('PutRecord'), PUT))
  expect((await session.client.answer()).status).toBe(200)
})

test('an error of ours is logged with its cause and told without it', async () => {
  const cause = new Error('the disk burns')
  const operations = { DescribeDeliveryStream: () => Promise.reject(cause) }
  await using session = await open({ operations })
  const input = JSON.stringify({ DeliveryStreamName: 'logs' })
  session.client.write(rawRequest(target('DescribeDeliveryStream'), input))
  const { status, body } = await session.client.answer()
  expect({ status, body: JSON.parse(body) }).toEqual({
    status: 500,
    body: { __type: 'InternalFailure', message: 'The request processing has failed' },
  })
  expect(session.api.errors).toEqual([{ requestId: expect.any(String), error: cause }])
  await expectGoodPut(session.api)
})

test('draining answers what is in flight and then closes', async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const { promise: called, resolve: call } = Promise.withResolvers<void>()
  const operations = {
    DescribeDeliveryStream: async () => {
      call()
      await held
      return { done: true }
    },
  }
  await using session = await open({ operations })
  using idle = await RawClient.connect(session.api.url)
  const input = JSON.stringify({ DeliveryStreamName: 'logs' })
  session.client.write(rawRequest(target('DescribeDeliveryStream'), input))
  await called
  const drained = session.api.drain(new AbortController().signal)
  await idle.closed()
  await expect(RawClient.connect(session.api.url)).rejects.toThrow('ECONNREFUSED')
  release()
  const answer = await session.client.answer()
  expect(answer.body).toBe('{"done":true}')
  expect(answer.headers.get('connection')).toBe('close')
  await drained
  await session.client.closed()
})

test('draining that is aborted waits for nothing', async () => {
  const { promise: called, resolve: call } = Promise.withResolvers<void>()
  const operations = {
    DescribeDeliveryStream: () => {
      call()
      return new Promise<never>(() => {})
    },
  }
  await using session = await open({ operations })
  const input = JSON.stringify({ DeliveryStreamName: 'logs' })
  session.client.write(rawRequest(target('DescribeDeliveryStream'), input))
  await called
  await session.api.drain(AbortSignal.abort())
  await expect(session.client.closed()).resolves.toBeUndefined()
})
