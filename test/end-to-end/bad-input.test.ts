/**
 * The real process under every kind of bad input. Each gets AWS's error; the service stays up, its
 * memory stays bounded, and the next good put works.
 */
import { readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sign } from '../../src/api/sigv4.ts'
import { RawClient, rawRequest, refusalIn, target } from '../fakes/raw-client.ts'
import type { RawAnswer } from '../fakes/raw-client.ts'
import { readBooks } from './books.ts'
import { eventually, Service } from './harness.ts'

const MIB = 1024 * 1024
/**
 * What docs/operations.md promises of a process under attack. It needs 192 MiB for itself, holds 128 MiB
 * of bodies and 64 MiB of unpacked ones, and twice that of what the garbage collector has not seen yet.
 */
const RESIDENT_BYTES_MAX = (192 + 3 * (128 + 64)) * MIB
const PUT = '{"DeliveryStreamName":"quickstart","Record":{"Data":"aGVsbG8="}}'

let service: Service

beforeAll(async () => {
  service = await Service.start()
})

afterAll(async () => {
  await service[Symbol.asyncDispose]()
})

async function answerTo(request: string | Buffer, { url } = service): Promise<RawAnswer> {
  using client = await RawClient.connect(url)
  client.write(request)
  return await client.answer()
}

async function expectGoodPut(): Promise<void> {
  const { status, body } = await answerTo(rawRequest(target('PutRecord'), PUT))
  expect({ status, body: JSON.parse(body) }).toEqual({
    status: 200,
    body: { RecordId: expect.any(String), Encrypted: false },
  })
}

/** The most that the process ever had. */
async function residentBytesPeak(): Promise<number> {
  const status = await readFile(`/proc/${service.pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}

function records(count: number, data: string): string {
  const Records = Array.from({ length: count }, () => ({ Data: data }))
  return JSON.stringify({ DeliveryStreamName: 'quickstart', Records })
}

function put(data: string): string {
  return JSON.stringify({ DeliveryStreamName: 'quickstart', Record: { Data: data } })
}

function described(name: string): string {
  return JSON.stringify({ DeliveryStreamName: name })
}

const NAME_PATTERN_VIOLATION =
  "1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: " +
  'Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+'

test.each<[string, string, string, string, string]>([
  [
    '501 records',
    'PutRecordBatch',
    records(501, ''),
    'ValidationException',
    "1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length less than or equal to 500",
  ],
  [
    'no records',
    'PutRecordBatch',
    records(0, ''),
    'ValidationException',
    "1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1",
  ],
  [
    'a record that is too large',
    'PutRecord',
    put(Buffer.alloc(1_024_001).toString('base64')),
    'ValidationException',
    "1 validation error detected: Value at 'record.data' failed to satisfy constraint: Member must have length less than or equal to 1024000",
  ],
  [
    'a record without data',
    'PutRecord',
    '{"DeliveryStreamName":"quickstart","Record":{}}',
    'ValidationException',
    "1 validation error detected: Value at 'record.data' failed to satisfy constraint: Member must not be null",
  ],
  [
    'a name from above',
    'PutRecord',
    '{"DeliveryStreamName":"../../etc","Record":{"Data":""}}',
    'ValidationException',
    NAME_PATTERN_VIOLATION,
  ],
  [
    'a name with a null byte',
    'DescribeDeliveryStream',
    described('a\0b'),
    'ValidationException',
    NAME_PATTERN_VIOLATION,
  ],
  [
    'a stream that is not there',
    'DescribeDeliveryStream',
    described('nowhere'),
    'ResourceNotFoundException',
    'Firehose nowhere under account 000000000000 not found.',
  ],
  [
    'a stream with an inherited name',
    'DescribeDeliveryStream',
    described('constructor'),
    'ResourceNotFoundException',
    'Firehose constructor under account 000000000000 not found.',
  ],
  [
    'a put to __proto__',
    'PutRecord',
    '{"DeliveryStreamName":"__proto__","Record":{"Data":""}}',
    'ResourceNotFoundException',
    'Firehose __proto__ under account 000000000000 not found.',
  ],
  [
    'a name inherited from __proto__',
    'PutRecord',
    '{"__proto__":{"DeliveryStreamName":"quickstart"},"Record":{"Data":""}}',
    'ValidationException',
    "1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must not be null",
  ],
])('refuses %s', async (_, operation, body, type, message) => {
  const answer = await answerTo(rawRequest(target(operation), body))
  expect({ status: answer.status, body: JSON.parse(answer.body) }).toEqual({
    status: 400,
    body: { __type: type, message },
  })
  await expectGoodPut()
})

test.each<[string, string, string | Buffer]>([
  ['base64 with strange characters', 'PutRecord', put('a%b=')],
  ['base64 that is cut off', 'PutRecord', put('YWJjZ')],
  ['data that is a number', 'PutRecord', put('').replace('""', '7')],
  ['data that is a list', 'PutRecord', put('').replace('""', '[]')],
  ['a record that is a list', 'PutRecord', put('').replace('{"Data":""}', '[]')],
  ['JSON that is cut off', 'PutRecord', PUT.slice(0, -1)],
  ['JSON with something after it', 'PutRecord', `${PUT}}`],
  ['a list', 'PutRecord', '[]'],
  ['text', 'PutRecord', 'DeliveryStreamName=quickstart'],
  ['bytes that are not UTF-8', 'PutRecord', PUT.replace('quickstart', '\u00ff')],
  ['a NaN', 'ListDeliveryStreams', '{"Limit":NaN}'],
  ['lists in lists without end', 'PutRecord', '['.repeat(2_000_000)],
  ['objects in objects', 'PutRecord', `${'{"a":'.repeat(500_000)}1${'}'.repeat(500_000)}`],
  [
    'objects in objects for a control operation',
    'CreateDeliveryStream',
    `${'{"Tags":'.repeat(500_000)}1${'}'.repeat(500_000)}`,
  ],
  ['a number for a name', 'DescribeDeliveryStream', '{"DeliveryStreamName":1}'],
])('%s is a SerializationException', async (_, operation, body) => {
  const request = Buffer.from(rawRequest(target(operation), ''), 'latin1')
  const bytes = Buffer.from(body.toString(), 'latin1')
  const head = request.toString('latin1').replace('length: 0', `length: ${bytes.byteLength}`)
  const answer = await answerTo(Buffer.concat([Buffer.from(head), bytes]))
  expect(refusalIn(answer)).toEqual({ status: 400, type: 'SerializationException' })
  await expectGoodPut()
})

test('of a member that comes twice the last counts, also for the name of the stream', async () => {
  const twice = `{"DeliveryStreamName":"nowhere",${PUT.slice(1)}`
  expect((await answerTo(rawRequest(target('PutRecord'), twice))).status).toBe(200)
  const twiceInTurn = `${PUT.slice(0, -1)},"DeliveryStreamName":"nowhere"}`
  expect(refusalIn(await answerTo(rawRequest(target('PutRecord'), twiceInTurn))).type).toBe(
    'ResourceNotFoundException',
  )
})

test.each([
  'Firehose_20150804.constructor',
  'Firehose_20150804.__proto__',
  'Firehose_20150804.hasOwnProperty',
  'Firehose_20150804.',
  'Firehose_20150804.putrecord',
  'Firehose_20150804.PutRecord.PutRecord',
  'Kinesis_20131202.PutRecord',
  'PutRecord',
  '',
])('the target %j is no operation', async (name) => {
  const answer = await answerTo(rawRequest({ 'X-Amz-Target': name }, PUT))
  expect(refusalIn(answer)).toEqual({ status: 400, type: 'UnknownOperationException' })
  await expectGoodPut()
})

test('a batch that is too large in sum is refused whole', async () => {
  const body = records(5, Buffer.alloc(1_000_000).toString('base64'))
  const answer = await answerTo(rawRequest(target('PutRecordBatch'), body))
  expect(refusalIn(answer)).toEqual({ status: 400, type: 'InvalidArgumentException' })
  await expectGoodPut()
})

test('a body beyond the limit is refused by its length alone', async () => {
  const headers = { ...target('PutRecord'), 'Content-Length': String(9 * MIB) }
  expect(refusalIn(await answerTo(rawRequest(headers, '{')))).toEqual({
    status: 413,
    type: 'RequestEntityTooLargeException',
  })
  await expectGoodPut()
})

test('bodies that never end are bounded in sum', async () => {
  const clients = await Promise.all(
    Array.from({ length: 60 }, () => RawClient.connect(service.url)),
  )
  const unfinished = 'x'.repeat(7 * MIB)
  const headers = { ...target('PutRecord'), 'Content-Length': String(8 * MIB) }
  for (const client of clients) client.write(rawRequest(headers, unfinished))
  // 60 · 7 MiB are more than the process holds: some are told to come later.
  const refusal = await Promise.race(clients.map((client) => client.answer()))
  expect(refusalIn(refusal)).toEqual({ status: 503, type: 'ServiceUnavailableException' })
  for (const client of clients) client.destroy()
  await eventually('a good put works again', 10_000, async () => {
    const { status } = await answerTo(rawRequest(target('PutRecord'), PUT))
    return status === 200 ? true : undefined
  })
  expect(await residentBytesPeak()).toBeLessThan(RESIDENT_BYTES_MAX)
})

test('bodies that are cut off leave no record', async () => {
  const before = await acceptedRecords()
  for (let length = 0; length < PUT.length; length += 7) {
    using client = await RawClient.connect(service.url)
    const headers = { ...target('PutRecord'), 'Content-Length': String(PUT.length) }
    client.write(rawRequest(headers, PUT.slice(0, length)))
  }
  await expectGoodPut()
  expect(await acceptedRecords()).toBe(before + 1)
})

async function acceptedRecords(): Promise<number> {
  const client = service.client()
  const { accepted } = await readBooks(client, 'quickstart')
  client.close()
  return accepted
}

test.each([
  ['two lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}'],
  ['a length and chunks', `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['an unknown coding', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
  ['a bare line feed', 'X: y\nContent-Length: 2\r\n\r\n{}'],
])('a request that two servers could read in two ways is refused: %s', async (_, rest) => {
  using client = await RawClient.connect(service.url)
  const smuggled = rawRequest(target('PutRecord'), PUT)
  client.write(`POST / HTTP/1.1\r\nHost: x\r\n${rest}${smuggled}`)
  expect(refusalIn(await client.answer())).toEqual({ status: 400, type: 'BadRequestException' })
  await client.closed()
  await expectGoodPut()
})

test.each([
  ['..', '/streams/../records'],
  ['an encoded ..', '/streams/%2e%2e%2f%2e%2e%2fetc%2fpasswd/records'],
  ['a null byte', '/streams/a%00b/records'],
  ['a bad escape', '/streams/%zz/records'],
  ['an inherited name', '/streams/__proto__/records'],
])('a path with %s leads to no stream', async (_, path) => {
  const answer = await answerTo(rawRequest({}, '{"a":1}', `POST ${path} HTTP/1.1`))
  expect(answer.status).toBeGreaterThanOrEqual(400)
  expect(answer.status).toBeLessThan(500)
  await expectGoodPut()
})

test.each([
  ['a gzip bomb', 'gzip', gzipSync(Buffer.alloc(512 * MIB), { level: 9 }), 413],
  ['gzip that is cut off', 'gzip', gzipSync('{"a":1}\n').subarray(0, 12), 400],
  ['no gzip at all', 'gzip', Buffer.from('{"a":1}\n'), 400],
  ['an unknown coding', 'br', Buffer.from('{"a":1}\n'), 415],
])('records with %s are refused', async (_, coding, body, status) => {
  const path = 'POST /streams/quickstart/records HTTP/1.1'
  const headers = { 'Content-Encoding': coding, 'Content-Length': String(body.byteLength) }
  const before = await acceptedRecords()
  const answer = await answerTo(Buffer.concat([Buffer.from(rawRequest(headers, '', path)), body]))
  expect(answer.status).toBe(status)
  expect(await acceptedRecords()).toBe(before)
  expect(await residentBytesPeak()).toBeLessThan(RESIDENT_BYTES_MAX)
  await expectGoodPut()
})

test('small bodies that unpack to much are bounded in sum', async () => {
  // Each just within the limit, so that none is refused; together 1.9 GB.
  const body = gzipSync(Buffer.alloc(31 * MIB, `${'x'.repeat(999_999)}\n`))
  const headers = { 'content-encoding': 'gzip' }
  const url = `${service.url}/streams/quickstart/records`
  const statuses = await Promise.all(
    Array.from({ length: 60 }, async () => {
      const answer = await fetch(url, { method: 'POST', body, headers })
      await answer.arrayBuffer()
      return answer.status
    }),
  )
  expect(new Set(statuses)).toEqual(new Set([200]))
  expect(await residentBytesPeak()).toBeLessThan(RESIDENT_BYTES_MAX)
})

test('with access keys, altered and unsigned requests are refused', async () => {
  const secret = 'wJalrXUtnFEMI'
  await using guarded = await Service.start({
    environment: { STANDPIPE_ACCESS_KEYS: `AKIDEXAMPLE:${secret}` },
  })
  const unsigned = {
    method: 'POST',
    path: '/',
    query: '',
    headers: { host: 'standpipe', 'x-amz-target': 'Firehose_20150804.PutRecord' },
  }
  const signed = (secretAccessKey: string, nowMs = Date.now()): Record<string, string> => {
    const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey, region: 'eu-west-1' }
    const headers = sign(unsigned, Buffer.from(PUT), credentials, nowMs)
    return headers as Record<string, string>
  }
  const typeOf = async (headers: Record<string, string>, body: string) =>
    refusalIn(await answerTo(rawRequest(headers, body), guarded)).type
  const good = signed(secret)
  expect([
    await typeOf(target('PutRecord'), PUT),
    await typeOf(signed('guess'), PUT),
    await typeOf(good, PUT.replace('aGVsbG8=', 'aGVsbG9=')),
    await typeOf({ ...good, 'x-amz-target': 'Firehose_20150804.DeleteDeliveryStream' }, PUT),
    await typeOf({ ...good, host: 'elsewhere' }, PUT),
    await typeOf(signed(secret, Date.now() - 600_000), PUT),
    await typeOf({ ...good, 'x-amz-security-token': 'x' }, PUT),
    await typeOf({ ...good, authorization: 'AWS4-HMAC-SHA256 Credential=x' }, PUT),
  ]).toEqual([
    'MissingAuthenticationTokenException',
    'InvalidSignatureException',
    'InvalidSignatureException',
    'InvalidSignatureException',
    'InvalidSignatureException',
    'InvalidSignatureException',
    'UnrecognizedClientException',
    'IncompleteSignatureException',
  ])
  expect((await answerTo(rawRequest(good, PUT), guarded)).status).toBe(200)
})
