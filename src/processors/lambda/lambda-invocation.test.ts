import { expect, test } from 'vitest'
import { failures, runLambda, texts } from '../../../test/fakes/lambda-run.ts'
import {
  PROCESSING_BATCH_ID as BATCH_ID,
  PROCESSING_STREAM,
} from '../../../test/fakes/processing.ts'
import { capitals, eachRecord } from '../../../test/fakes/scripted-functions.ts'
import type { JsonObject } from '../../base/json.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import { InvocationError } from '../../functions.ts'
import type { ProcessingRecord } from '../../processor.ts'

/** What the JSON of a request has besides the data of its records. */
function frameBytes(recordCount: number): number {
  const record = {
    recordId: '-'.repeat(34),
    approximateArrivalTimestamp: 1_700_000_000_000,
    data: '',
  }
  return JSON.stringify({
    invocationId: '-'.repeat(36),
    deliveryStreamArn: PROCESSING_STREAM.arn,
    region: 'us-east-1',
    records: Array.from({ length: recordCount }, () => record),
  }).length
}

test("a request is AWS's, to the letter", async () => {
  const { functions } = await runLambda(eachRecord(capitals), [
    'one',
    '',
    Buffer.from([0xff, 0x00]),
  ])
  expect(functions.events).toEqual([
    {
      invocationId: '01010101-0101-4101-8101-010101010101',
      deliveryStreamArn: PROCESSING_STREAM.arn,
      region: 'us-east-1',
      records: [
        {
          recordId: `${BATCH_ID}00000000`,
          approximateArrivalTimestamp: 1_700_000_000_000,
          data: 'b25l',
        },
        {
          recordId: `${BATCH_ID}00000001`,
          approximateArrivalTimestamp: 1_700_000_000_001,
          data: '',
        },
        {
          recordId: `${BATCH_ID}00000002`,
          approximateArrivalTimestamp: 1_700_000_000_002,
          data: '/wA=',
        },
      ],
    },
  ])
  expect(Object.keys(functions.events[0] ?? {})).toEqual([
    'invocationId',
    'deliveryStreamArn',
    'region',
    'records',
  ])
})

const KINESIS_METADATA = {
  kinesisRecordMetadata: {
    shardId: 'shardId-000000000000',
    partitionKey: 'schlüssel',
    sequenceNumber: '49',
    subsequenceNumber: 0,
    approximateArrivalTimestamp: 1_700_000_000_000,
  },
}
const FROM_KINESIS: Partial<DeliveryStream> = {
  type: 'KinesisStreamAsSource',
  source: { KinesisStreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/in' },
}
const FROM_KAFKA: Partial<DeliveryStream> = {
  type: 'MSKAsSource',
  source: { MSKClusterARN: 'arn:aws:kafka:us-east-1:000000000000:cluster/c/1' },
}

function told(text: string, metadata: JsonObject): ProcessingRecord {
  const data = Buffer.from(text)
  return { ordinal: 0, arrivalMs: 1_700_000_000_000, data, original: data, metadata }
}

test('a request names the Kinesis stream, and says of each record where in it that was', async () => {
  const { functions, out } = await runLambda(
    eachRecord(capitals),
    [told('one', KINESIS_METADATA)],
    { stream: FROM_KINESIS },
  )
  expect(functions.events).toEqual([
    {
      invocationId: expect.any(String),
      deliveryStreamArn: PROCESSING_STREAM.arn,
      sourceKinesisStreamArn: FROM_KINESIS.source?.['KinesisStreamARN'],
      region: 'us-east-1',
      records: [
        {
          recordId: `${BATCH_ID}00000000`,
          approximateArrivalTimestamp: 1_700_000_000_000,
          data: 'b25l',
          ...KINESIS_METADATA,
        },
      ],
    },
  ])
  expect(texts(out)).toEqual(['ONE'])
})

test('a request names the MSK cluster, and has the data under both names', async () => {
  const mskRecordMetadata = { offset: '7', partitionId: '1', approximateArrivalTimestamp: 5 }
  const { functions, out } = await runLambda(
    eachRecord(capitals),
    [told('one', { mskRecordMetadata })],
    { stream: FROM_KAFKA },
  )
  expect(functions.events).toMatchObject([
    {
      sourceMSKArn: FROM_KAFKA.source?.['MSKClusterARN'],
      records: [{ data: 'b25l', kafkaRecordValue: 'b25l', mskRecordMetadata }],
    },
  ])
  expect(texts(out)).toEqual(['ONE'])
})

test.each([
  ['Kinesis', FROM_KINESIS, KINESIS_METADATA],
  ['Kafka', FROM_KAFKA, { key: 'w6k=' }],
] as const)('all that a request from %s says counts', async (_, stream, metadata) => {
  const largest = (dataBytes: number): ProcessingRecord => told('x'.repeat(dataBytes), metadata)
  const small = await runLambda(() => ({ records: [] }), [largest(0)], { stream })
  const names = stream === FROM_KAFKA ? 2 : 1
  const roomBytes = 6 * 1024 * 1024 - Buffer.byteLength(JSON.stringify(small.functions.events[0]))
  const dataBytes = Math.floor(roomBytes / names / 4) * 3
  const full = await runLambda(() => ({ records: [] }), [largest(dataBytes)], { stream })
  expect(full.functions.events).toHaveLength(1)
  const over = await runLambda(() => ({ records: [] }), [largest(dataBytes + 1)], { stream })
  expect(over.functions.events).toHaveLength(0)
})

test('a request has an id of its own for each part of a record that was split', async () => {
  const data = Buffer.from('part')
  const part = { ordinal: 33, arrivalMs: 5, data, original: data }
  const { functions, out } = await runLambda(eachRecord(capitals), [
    { ...part, part: 0 },
    { ...part, part: 1 },
  ])
  expect(functions.events[0]?.records.map(({ recordId }) => recordId)).toEqual([
    `${BATCH_ID}00000011.0`,
    `${BATCH_ID}00000011.1`,
  ])
  expect(out.map(({ ordinal, part: number }) => [ordinal, number])).toEqual([
    [33, 0],
    [33, 1],
  ])
})

test('a request has a new invocationId and the same records at each attempt', async () => {
  let attempt = 0
  const { functions } = await runLambda(
    (event, signal) => {
      attempt += 1
      if (attempt < 3) throw new InvocationError('Lambda.InvokeLimitExceeded', 'Slow down')
      return eachRecord(capitals)(event, signal)
    },
    ['a', 'b'],
  )
  const [first, second, third] = functions.events
  expect(functions.events.map(({ invocationId }) => invocationId.slice(0, 8))).toEqual([
    '01010101',
    '02020202',
    '03030303',
  ])
  expect([second?.records, third?.records]).toEqual([first?.records, first?.records])
})

test('a request takes data up to the buffer size, and a record that is larger alone', async () => {
  const { functions, out } = await runLambda(
    eachRecord(capitals),
    ['aaaa', 'bbb', 'ccc', 'd', 'large and larger', '', 'e'],
    { bufferBytes: 7, groupSize: 3 },
  )
  const sent = functions.events.map(({ records }) =>
    records.map(({ data }) => String(Buffer.from(data, 'base64'))),
  )
  expect(sent).toEqual([['aaaa', 'bbb'], ['ccc', 'd'], ['large and larger'], ['', 'e']])
  expect(texts(out)).toEqual(['AAAA', 'BBB', 'CCC', 'D', 'LARGE AND LARGER', '', 'E'])
})

test('a request takes 10,000 records at most', async () => {
  const { functions } = await runLambda(eachRecord(capitals), Array<string>(10_001).fill(''))
  expect(functions.events.map(({ records }) => records.length)).toEqual([10_000, 1])
})

test('a request is filled up to 6 MB of JSON, and no byte further', async () => {
  const requestBytes = 6 * 1024 * 1024
  const dataBytes = Math.floor((requestBytes - frameBytes(2)) / 4) * 3
  const first = Buffer.alloc(3_000_000)
  const eventBytes = async (secondBytes: number): Promise<readonly number[]> => {
    const { functions } = await runLambda(
      () => ({ records: [] }),
      [first, Buffer.alloc(secondBytes)],
      {
        bufferBytes: 10_000_000,
      },
    )
    return functions.events.map((event) => JSON.stringify(event).length)
  }
  const [filledBytes = 0, ...others] = await eventBytes(dataBytes - 3_000_000)
  expect(others).toEqual([])
  expect(requestBytes - filledBytes).toBeLessThan(4)
  expect(requestBytes - filledBytes).toBeGreaterThanOrEqual(0)
  expect(await eventBytes(dataBytes - 3_000_000 + 1)).toHaveLength(2)
})

test('a request is not made for a record that no request has room for', async () => {
  const ran = await runLambda(eachRecord(capitals), ['a', Buffer.alloc(5_000_000), 'b'])
  expect(texts(ran.out)).toEqual(['A', 'B'])
  const requestBytes = frameBytes(1) + Buffer.alloc(5_000_000).toString('base64').length
  expect(failures(ran)).toEqual([
    `1 Lambda.FunctionError The record makes a request of ${requestBytes} bytes, more than 6291456 (0)`,
  ])
  expect(ran.functions.events).toHaveLength(2)
})
