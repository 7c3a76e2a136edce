/** Firehose's HTTP endpoint protocol as input: what is taken, what is refused, and what repeats do. */
import { strict as assert } from 'node:assert'
import { gzipSync } from 'node:zlib'
import { expect, test, vi } from 'vitest'
import { ApiError } from '../../src/api/exceptions.ts'
import { routes } from '../../src/api/rest/index.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { AppendError } from '../../src/batch-store.ts'
import { recordsOf } from '../../src/chunk.ts'
import { StreamRegistry } from '../../src/pipeline/stream-registry.ts'
import { ApiUnderTest, NOW_MS } from './api-under-test.ts'
import { createInput } from './requests.ts'

const PATH = '/streams/{name}/firehose'
const LOGS = { name: 'logs' }
const ID = 'ed4acda5-034f-9f42-bba1-f29aea6d7d8f'
const HEADERS = {
  'content-type': 'application/json',
  'x-amz-firehose-protocol-version': '1.0',
  'x-amz-firehose-request-id': ID,
  'x-amz-firehose-source-arn': 'arn:aws:firehose:us-east-1:000000000000:deliverystream/other',
}

async function openWithStream(quotaBytes = 256 * 1024 * 1024): Promise<ApiUnderTest> {
  const api = await ApiUnderTest.open({ quotaBytes })
  await api.call('CreateDeliveryStream', createInput('logs'))
  return api
}

function bodyOf(records: readonly (string | Buffer)[], requestId = ID): string {
  const entries = records.map((record) => ({ data: Buffer.from(record).toString('base64') }))
  return JSON.stringify({ requestId, timestamp: 1_578_090_901_599, records: entries })
}

/** The answer as the server sends it, be it a refusal. */
async function post(
  api: ApiUnderTest,
  body: string | Buffer,
  headers: Record<string, string> = HEADERS,
): Promise<{ statusCode: number; body: JsonObject }> {
  const answer = await api.route('POST', PATH, LOGS, { headers, body }).catch((error: unknown) => {
    if (!(error instanceof ApiError)) throw error
    const route = routes.find(({ path }) => path === PATH)
    return route?.refuse?.(error, headers, api.context) ?? assert.fail()
  })
  return { statusCode: answer.statusCode, body: answer.body as JsonObject }
}

async function stored(api: ApiUnderTest): Promise<readonly string[]> {
  await api.route('POST', '/streams/{name}/flush', LOGS)
  const records: string[] = []
  for (const batch of api.sealed) {
    for await (const chunk of api.context.store.read(batch)) {
      for (const record of recordsOf(chunk)) records.push(record.toString('latin1'))
    }
  }
  return records
}

const TAKEN = { statusCode: 200, body: { requestId: ID, timestamp: NOW_MS } }
const refused = (statusCode: number, errorMessage: unknown): object => ({
  statusCode,
  body: { requestId: ID, timestamp: NOW_MS, errorMessage },
})

test.for([
  ['plain', undefined, (body: string) => Buffer.from(body)],
  ['in gzip', 'gzip', gzipSync],
] as const)('records are taken %s', async ([, coding, encode]) => {
  await using api = await openWithStream()
  const headers = { ...HEADERS, ...(coding && { 'content-encoding': coding }) }
  const body = encode(bodyOf(['one', '', Buffer.from([0xff, 0x00])]))
  expect(await post(api, body, headers)).toEqual(TAKEN)
  expect(await stored(api)).toEqual(['one', '', '\xff\0'])
  expect(api.puts).toMatchObject([
    { streamName: 'logs', operation: 'HttpEndpoint', recordCount: 3, dataBytes: 5 },
  ])
})

test('headers of the protocol may be missing, and empty ones are missing', async () => {
  await using api = await openWithStream()
  const empty = Object.fromEntries(Object.keys(HEADERS).map((name) => [name, '']))
  expect(await post(api, bodyOf(['a'], 'one'), {})).toMatchObject({ statusCode: 200 })
  expect(await post(api, bodyOf(['b'], 'two'), empty)).toMatchObject({ statusCode: 200 })
  expect(await stored(api)).toEqual(['a', 'b'])
})

test('a request without records is taken, and leaves nothing', async () => {
  await using api = await openWithStream()
  expect(await post(api, bodyOf([]))).toEqual(TAKEN)
  expect(await stored(api)).toEqual([])
})

test.for([
  [
    'another version',
    bodyOf(['a']),
    { 'x-amz-firehose-protocol-version': '2.0' },
    400,
    /version 2\.0/,
  ],
  ['another id', bodyOf(['a'], 'other'), {}, 400, /requestId/],
  ['no JSON', '{', {}, 400, /not JSON/],
  ['no base64', bodyOf(['a']).replace('YQ==', 'YQ='), {}, 400, /record 1 is not base64/],
  ['URL-safe base64', bodyOf(['a']).replace('YQ==', '-_-_'), {}, 400, /record 1 is not base64/],
  ['no gzip', bodyOf(['a']), { 'content-encoding': 'gzip' }, 400, /not gzip/],
  ['another coding', bodyOf(['a']), { 'content-encoding': 'br' }, 415, /Content-Encoding br/],
] as const)('%s is refused', async ([, body, headers, statusCode, message]) => {
  await using api = await openWithStream()
  expect(await post(api, body, { ...HEADERS, ...headers })).toEqual(
    refused(statusCode, expect.stringMatching(message)),
  )
  expect(await stored(api)).toEqual([])
})

test('a request is refused as a whole, also where only its last record is wrong', async () => {
  await using api = await openWithStream()
  const large = Buffer.alloc(1_000_000)
  const body = bodyOf([large, large, large, 'last']).replace('bGFzdA==', 'bGFzd')
  expect(await post(api, body)).toEqual(refused(400, expect.stringContaining('record 4')))
  expect(await stored(api)).toEqual([])
})

test('records are taken up to 10 MiB, and nothing larger', async () => {
  await using api = await openWithStream()
  const largest = Buffer.alloc(10 * 1024 * 1024, 'x')
  expect(await post(api, bodyOf(['a', largest]))).toEqual(TAKEN)
  const larger = Buffer.concat([largest, Buffer.from('x')])
  const body = bodyOf(['a', larger], 'other')
  expect(await post(api, body, {})).toMatchObject({
    statusCode: 413,
    body: { errorMessage: 'Cannot take record 2: it exceeds 10485760 bytes' },
  })
  expect((await stored(api)).map(({ length }) => length)).toEqual([1, largest.byteLength])
})

test('what is more than 64 MiB when it is unpacked is refused for good', async () => {
  await using api = await openWithStream()
  const body = gzipSync(Buffer.alloc(64 * 1024 * 1024 + 1, ' '))
  const headers = { ...HEADERS, 'content-encoding': 'gzip' }
  expect(await post(api, body, headers)).toEqual(
    refused(413, 'Cannot decompress the body: it exceeds 67108864 bytes'),
  )
})

test('a stream that is not there, and one that reads a source, take nothing', async () => {
  await using api = await ApiUnderTest.open()
  expect(await post(api, bodyOf(['a']))).toEqual(
    refused(404, 'Firehose logs under account 123456789012 not found.'),
  )
  await api.call('CreateDeliveryStream', createInput('logs'))
  const { registry, catalog } = api.context
  const { streamId } = registry.find('logs') ?? assert.fail()
  await registry.change(streamId, (stream) => ({ ...stream, type: 'KinesisStreamAsSource' }))
  assert((await StreamRegistry.open(catalog)).find('logs')?.type === 'KinesisStreamAsSource')
  expect(await post(api, bodyOf(['a']))).toEqual(
    refused(400, 'This operation is not permitted on KinesisStreamAsSource delivery stream type.'),
  )
})

/** Numbered, and as many bytes each. */
function numbered(count: number, sizeBytes: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => {
    const record = Buffer.alloc(sizeBytes, 'x')
    record.write(`${index} `)
    return record
  })
}

const numbersIn = (records: readonly string[]): readonly number[] =>
  records.map((record) => Number.parseInt(record, 10))

test('a request that is repeated takes effect once', async () => {
  await using api = await openWithStream()
  const body = bodyOf(numbered(30, 100_000))
  expect(await post(api, body)).toEqual(TAKEN)
  const counts = api.puts.map(({ recordCount }) => recordCount)
  expect(counts).toEqual([10, 10, 10])
  expect(await post(api, body)).toEqual(TAKEN)
  expect(await post(api, gzipSync(body), { ...HEADERS, 'content-encoding': 'gzip' })).toEqual(TAKEN)
  // Repeats are no records that came in.
  expect(api.puts).toHaveLength(3)
  expect(numbersIn(await stored(api))).toEqual(numbered(30, 10).map((_, index) => index))
})

test('a request that comes again while it is being taken takes effect once', async () => {
  await using api = await openWithStream()
  const body = bodyOf(numbered(30, 100_000))
  const answers = await Promise.all([post(api, body), post(api, body), post(api, body)])
  expect(answers).toEqual([TAKEN, TAKEN, TAKEN])
  expect(numbersIn(await stored(api)).toSorted((one, other) => one - other)).toEqual(
    numbered(30, 10).map((_, index) => index),
  )
})

test('a request that was taken in part is completed by its repeat', async () => {
  await using api = await openWithStream()
  const { intake } = api.context
  const append = intake.append.bind(intake)
  let room = 3
  vi.spyOn(intake, 'append').mockImplementation(async (stream, chunk) => {
    if (room === 0) throw new AppendError('full', 'Cannot append: there is no room')
    room -= 1
    return await append(stream, chunk)
  })
  const body = bodyOf(numbered(60, 100_000))
  expect(await post(api, body)).toEqual(refused(503, 'Slow down.'))
  expect(api.puts.map(({ throttledCount }) => throttledCount)).toEqual([0, 0, 0, 10])
  room = Infinity
  expect(await post(api, body)).toEqual(TAKEN)
  expect(numbersIn(await stored(api))).toEqual(numbered(60, 10).map((_, index) => index))
})

test('an id stands for one content: of another only what comes after the known parts is taken', async () => {
  await using api = await openWithStream()
  const record = (letter: string): Buffer => Buffer.alloc(900_000, letter)
  expect(await post(api, bodyOf([record('a')]))).toEqual(TAKEN)
  expect(await post(api, bodyOf([record('b'), record('c')]))).toEqual(TAKEN)
  expect((await stored(api)).map(([letter]) => letter)).toEqual(['a', 'c'])
})

test('common attributes are not kept, and that is said once', async () => {
  await using api = await openWithStream()
  const headers = {
    ...HEADERS,
    'x-amz-firehose-common-attributes': '{"commonAttributes":{"environment":"test"}}',
  }
  expect(await post(api, bodyOf(['a']), headers)).toEqual(TAKEN)
  expect(await post(api, bodyOf(['a']), headers)).toEqual(TAKEN)
  expect(api.warnings).toEqual([{ streamName: 'logs' }])
})
