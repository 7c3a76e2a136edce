import { expect, test } from 'vitest'
import { recordsOf } from '../../src/chunk.ts'
import { decodeRecordId } from '../../src/record.ts'
import { ApiUnderTest, refusalOf } from './api-under-test.ts'
import { batchInput, createInput } from './requests.ts'

const RECORD_BYTES_MAX = 1_024_000

async function openWithStream(quotaBytes?: number): Promise<ApiUnderTest> {
  const api = await ApiUnderTest.open(quotaBytes === undefined ? {} : { quotaBytes })
  await api.call('CreateDeliveryStream', createInput('logs'))
  return api
}

/** All records of the stream that were taken, in order. */
async function stored(api: ApiUnderTest): Promise<readonly string[]> {
  const { streamId } = api.context.registry.find('logs')!
  await api.context.intake.seal(streamId, 'flush')
  const records: string[] = []
  for (const batch of api.sealed) {
    for await (const chunk of api.context.store.read(batch)) {
      for (const record of recordsOf(chunk)) records.push(record.toString())
    }
  }
  return records
}

const refused = (type: string, message: unknown) => ({ __type: type, message })
const validation = (violation: string) =>
  refused('ValidationException', `1 validation error detected: ${violation}`)

test('PutRecord stores the record and answers its id', async () => {
  await using api = await openWithStream()
  const Record = { Data: Buffer.from('héllo').toString('base64') }
  const answer = await api.call('PutRecord', { DeliveryStreamName: 'logs', Record })
  const { batchId } = await api.openBatch('logs')
  expect(answer).toEqual({ Encrypted: false, RecordId: expect.any(String) as string })
  expect(decodeRecordId(answer['RecordId'] as string)).toEqual({ batchId, ordinal: 0 })
  expect(await stored(api)).toEqual(['héllo'])
})

test('PutRecordBatch answers for each record in order, in compact JSON as AWS writes it', async () => {
  await using api = await openWithStream()
  await api.call('PutRecordBatch', batchInput('logs', 'first'))
  const answer = await api.call('PutRecordBatch', batchInput('logs', 'a', '', 'c'))
  expect(Object.keys(answer)).toEqual(['Encrypted', 'FailedPutCount', 'RequestResponses'])
  expect(answer).toMatchObject({ Encrypted: false, FailedPutCount: 0 })
  const responses = answer['RequestResponses'] as { RecordId: string }[]
  const ordinals = responses.map(({ RecordId }) => decodeRecordId(RecordId)?.ordinal)
  expect(ordinals).toEqual([1, 2, 3])
  expect(await stored(api)).toEqual(['first', 'a', '', 'c'])
})

test('a body in a form that no SDK sends is taken all the same', async () => {
  await using api = await openWithStream()
  const body =
    '{"x":[1],"Records":[{"Data":"YQ\\u003d=","y":null}],"DeliveryStreamName":"l\\u006fgs"}'
  await api.send('PutRecordBatch', Buffer.from(body))
  expect(await stored(api)).toEqual(['a'])
})

test('the longest record is taken, and one byte more is refused by its place', async () => {
  await using api = await openWithStream()
  const longest = Buffer.alloc(RECORD_BYTES_MAX, 'x')
  const tooLong = Buffer.alloc(RECORD_BYTES_MAX + 1, 'x')
  await api.call('PutRecordBatch', batchInput('logs', longest))
  expect(await api.refusal('PutRecordBatch', batchInput('logs', 'a', tooLong))).toEqual(
    validation(
      "Value at 'records.2.member.data' failed to satisfy constraint: " +
        'Member must have length less than or equal to 1024000',
    ),
  )
  const Record = { Data: tooLong.toString('base64') }
  expect(await api.refusal('PutRecord', { DeliveryStreamName: 'logs', Record })).toEqual(
    validation(
      "Value at 'record.data' failed to satisfy constraint: " +
        'Member must have length less than or equal to 1024000',
    ),
  )
  expect(await stored(api)).toEqual([longest.toString()])
})

function records(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => String(index))
}

test('500 records are taken, none and 501 are refused', async () => {
  await using api = await openWithStream()
  await api.call('PutRecordBatch', batchInput('logs', ...records(500)))
  expect(await api.refusal('PutRecordBatch', batchInput('logs', ...records(501)))).toEqual(
    validation(
      "Value at 'records' failed to satisfy constraint: " +
        'Member must have length less than or equal to 500',
    ),
  )
  expect(await api.refusal('PutRecordBatch', batchInput('logs'))).toEqual(
    validation(
      "Value at 'records' failed to satisfy constraint: " +
        'Member must have length greater than or equal to 1',
    ),
  )
  expect(await stored(api)).toEqual(records(500))
})

test('4 MiB before base64 are taken, and one byte more is refused', async () => {
  await using api = await openWithStream()
  const five = Array.from({ length: 5 }, () => Buffer.alloc(838_860, 'x'))
  await api.call('PutRecordBatch', batchInput('logs', ...five, '1234'))
  expect(await api.refusal('PutRecordBatch', batchInput('logs', ...five, '12345'))).toEqual(
    refused('InvalidArgumentException', 'Records size exceeds 4 MB limit'),
  )
  expect((await stored(api)).join('')).toHaveLength(4 * 1024 * 1024)
})

test.for([
  ['not JSON', '{"DeliveryStreamName":"logs",'],
  ['data that is not base64', '{"DeliveryStreamName":"logs","Records":[{"Data":"YQ=a"}]}'],
  ['data in the URL-safe alphabet', '{"DeliveryStreamName":"logs","Records":[{"Data":"_-8="}]}'],
  ['data without padding', '{"DeliveryStreamName":"logs","Records":[{"Data":"YQ"}]}'],
  ['white space in the data', '{"DeliveryStreamName":"logs","Records":[{"Data":"YW Jj"}]}'],
  ['data that is a number', '{"DeliveryStreamName":"logs","Records":[{"Data":1}]}'],
  ['records that are no list', '{"DeliveryStreamName":"logs","Records":{"Data":"YQ=="}}'],
])('%s is a SerializationException', async ([, body]) => {
  await using api = await openWithStream()
  expect(await refusalOf(api.send('PutRecordBatch', Buffer.from(body!)))).toEqual(
    refused('SerializationException', expect.any(String)),
  )
  expect(await stored(api)).toEqual([])
})

test.for([
  ['{"DeliveryStreamName":"logs","Records":[{}]}', 'records.1.member.data'],
  ['{"DeliveryStreamName":"logs","Records":[{"Data":null}]}', 'records.1.member.data'],
  ['{"DeliveryStreamName":"logs","Records":[null]}', 'records.1.member'],
  ['{"DeliveryStreamName":"logs","__proto__":{"Records":[{"Data":"YQ=="}]}}', 'records'],
  ['{"DeliveryStreamName":"logs"}', 'records'],
  ['{"Records":[{"Data":"YQ=="}]}', 'deliveryStreamName'],
])('%s lacks %s', async ([body, path]) => {
  await using api = await openWithStream()
  expect(await refusalOf(api.send('PutRecordBatch', Buffer.from(body!)))).toEqual(
    validation(`Value at '${path}' failed to satisfy constraint: Member must not be null`),
  )
})

test('without room the whole call is refused for later, and nothing of it is stored', async () => {
  await using api = await openWithStream(1_500_000)
  const record = 'x'.repeat(900_000)
  await api.call('PutRecordBatch', batchInput('logs', record))
  const slowDown = refused('ServiceUnavailableException', 'Slow down.')
  expect(await api.refusal('PutRecordBatch', batchInput('logs', 'a', record))).toEqual(slowDown)
  const Record = { Data: Buffer.from(record).toString('base64') }
  expect(await api.refusal('PutRecord', { DeliveryStreamName: 'logs', Record })).toEqual(slowDown)
  expect(await stored(api)).toEqual([record])
  expect(api.puts.map(({ throttledCount }) => throttledCount)).toEqual([0, 2, 1])
})

test('each put is counted', async () => {
  await using api = await openWithStream()
  await api.call('PutRecordBatch', batchInput('logs', 'abc', 'de'))
  await api.call('PutRecord', { DeliveryStreamName: 'logs', Record: { Data: 'YQ==' } })
  const common = { streamName: 'logs', throttledCount: 0, latencyMs: expect.any(Number) as number }
  expect(api.puts).toEqual([
    { ...common, operation: 'PutRecordBatch', recordCount: 2, dataBytes: 5 },
    { ...common, operation: 'PutRecord', recordCount: 1, dataBytes: 1 },
  ])
})

test('an update seals what is buffered, so that it leaves under the new version', async () => {
  await using api = await openWithStream()
  await api.call('PutRecordBatch', batchInput('logs', 'before'))
  await api.call('UpdateDestination', {
    DeliveryStreamName: 'logs',
    CurrentDeliveryStreamVersionId: '1',
    DestinationId: 'destinationId-000000000001',
    ExtendedS3DestinationUpdate: { Prefix: 'new/' },
  })
  expect(api.sealed).toMatchObject([{ recordCount: 1, sealReason: 'update' }])
})
