/** Both sinks before a server that speaks as much of the wire protocol as they need. */
import { Firehose } from '@aws-sdk/client-firehose'
import { Kinesis } from '@aws-sdk/client-kinesis'
import { expect, test } from 'vitest'
import { ScriptedHttp } from '../../test/fakes/scripted-http.ts'
import type { ScriptedAnswer } from '../../test/fakes/scripted-http.ts'
import { firehoseSink } from './firehose-sink.ts'
import { kinesisSink } from './kinesis-sink.ts'
import { classifyFailure } from './record-sink.ts'

const ACCOUNT = {
  region: 'eu-west-1',
  credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  maxAttempts: 1,
}
const RECORDS = [
  { data: Buffer.from('a\n'), partitionKey: 'k1' },
  { data: Buffer.from('b\n'), partitionKey: 'k2' },
]

function json(value: unknown, status = 200): ScriptedAnswer {
  const headers = { 'content-type': 'application/x-amz-json-1.1' }
  return { status, headers, body: JSON.stringify(value) }
}

test('PutRecordBatch carries the records, and what failed is refused', async () => {
  const refusal = { ErrorCode: 'ServiceUnavailableException', ErrorMessage: 'Slow down.' }
  await using http = await ScriptedHttp.start(() =>
    json({ FailedPutCount: 1, RequestResponses: [{ RecordId: 'r' }, refusal] }),
  )
  const firehose = new Firehose({ ...ACCOUNT, endpoint: http.url })
  expect(await firehoseSink(firehose, 'logs').put(RECORDS)).toEqual({
    refused: [1],
    reason: 'ServiceUnavailableException: Slow down.',
  })
  const [request] = http.requests
  expect(request?.headers['x-amz-target']).toBe('Firehose_20150804.PutRecordBatch')
  expect(JSON.parse(request?.body.toString() ?? '')).toEqual({
    DeliveryStreamName: 'logs',
    Records: [{ Data: 'YQo=' }, { Data: 'Ygo=' }],
  })
  firehose.destroy()
})

test('PutRecords carries records and partition keys, and what failed is refused', async () => {
  const refusal = {
    ErrorCode: 'ProvisionedThroughputExceededException',
    ErrorMessage: 'Slow down.',
  }
  await using http = await ScriptedHttp.start(() =>
    json({ FailedRecordCount: 1, Records: [refusal, { SequenceNumber: '1', ShardId: 's' }] }),
  )
  const firehose = new Firehose({ ...ACCOUNT, endpoint: http.url })
  const { requestHandler } = firehose.config
  const kinesis = new Kinesis({ ...ACCOUNT, endpoint: http.url, requestHandler })
  expect(await kinesisSink(kinesis, 'events').put(RECORDS)).toEqual({
    refused: [0],
    reason: 'ProvisionedThroughputExceededException: Slow down.',
  })
  const [request] = http.requests
  expect(request?.headers['x-amz-target']).toBe('Kinesis_20131202.PutRecords')
  expect(JSON.parse(request?.body.toString() ?? '')).toEqual({
    StreamName: 'events',
    Records: [
      { Data: 'YQo=', PartitionKey: 'k1' },
      { Data: 'Ygo=', PartitionKey: 'k2' },
    ],
  })
  kinesis.destroy()
})

test('a record without an answer was not taken', async () => {
  await using http = await ScriptedHttp.start(() => json({ RequestResponses: [{ RecordId: 'r' }] }))
  const firehose = new Firehose({ ...ACCOUNT, endpoint: http.url })
  expect(await firehoseSink(firehose, 'logs').put(RECORDS)).toEqual({
    refused: [1],
    reason: 'NoAnswer',
  })
  firehose.destroy()
})

test.each([
  [json({ __type: 'ServiceUnavailableException', message: 'Slow down.' }, 503), 'busy'],
  [json({ __type: 'ThrottlingException', message: 'Slow down.' }, 400), 'busy'],
  [json({ __type: 'ResourceNotFoundException', message: 'No such stream.' }, 400), 'final'],
  [json({ __type: 'AccessDeniedException', message: 'No.' }, 403), 'final'],
  ['reset', 'unreachable'],
] as const)('what the SDK throws is classified: %#', async (answer, failure) => {
  await using http = await ScriptedHttp.start(() => answer)
  const firehose = new Firehose({ ...ACCOUNT, endpoint: http.url })
  const error: unknown = await firehoseSink(firehose, 'logs')
    .put(RECORDS)
    .catch((error: unknown) => error)
  expect(classifyFailure(error)).toBe(failure)
  firehose.destroy()
})
