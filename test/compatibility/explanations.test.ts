/** `POST /streams/{name}/explain`, before an explainer of the test's own. */
import { expect, test } from 'vitest'
import { DeliveryError } from '../../src/destination.ts'
import type { ExplainedContent, Explanation } from '../../src/explanation.ts'
import { ApiUnderTest, refusalOf } from './api-under-test.ts'
import type { ApiUnderTestOptions } from './api-under-test.ts'
import { createInput } from './requests.ts'

const PATH = '/streams/{name}/explain'
const LOGS = { name: 'logs' }
const NOTHING: Explanation = { stages: [], outputs: [], outputCount: 0 }

async function openWithStream(explain: ApiUnderTestOptions['explain']): Promise<ApiUnderTest> {
  const api = await ApiUnderTest.open({ ...(explain && { explain }) })
  await api.call('CreateDeliveryStream', createInput('logs'))
  return api
}

test('the answer tells stages and outputs', async () => {
  const asked: unknown[] = []
  const failure = { errorCode: 'Lambda.X', errorMessage: 'no' }
  await using api = await openWithStream(async ({ name }, data) => {
    asked.push([name, data.toString()])
    return {
      stages: [
        {
          name: 'MetadataExtraction',
          records: [
            {
              data: Buffer.from('é'),
              keys: { query: new Map([['q', '1']]), lambda: new Map([['l', '2']]) },
            },
            { data: Buffer.from([0xff]), keys: { query: new Map(), lambda: new Map() } },
          ],
          recordCount: 7,
          failures: [failure],
          failedCount: 8,
          droppedCount: 9,
        },
      ],
      outputs: [
        {
          kind: 'documents',
          accounting: 'delivered',
          target: { index: 'logs' },
          recordCount: 3,
          sizeBytes: 0,
          records: [
            { ordinal: 0, item: { _id: 'x' }, data: Buffer.from('{}') },
            { ordinal: 1, item: { rows: [] } },
            { ordinal: 2, refusal: failure },
          ],
        },
        {
          kind: 's3',
          accounting: 'copy',
          target: { bucket: 'b', key: 'k' },
          recordCount: 1,
          sizeBytes: 30,
          content: { format: 'GZIP', head: Buffer.from('x'), isWhole: true },
        },
      ],
      outputCount: 200,
    }
  })
  const { statusCode, body } = await api.route('POST', PATH, LOGS, { body: 'the record' })
  expect({ statusCode, asked }).toEqual({ statusCode: 200, asked: [['logs', 'the record']] })
  const told = { ErrorCode: 'Lambda.X', ErrorMessage: 'no' }
  expect(body).toEqual({
    DeliveryStreamName: 'logs',
    Stages: [
      {
        Name: 'MetadataExtraction',
        Records: [
          { Text: 'é', PartitionKeys: { Query: { q: '1' }, Lambda: { l: '2' } } },
          { Data: '/w==' },
        ],
        RecordCount: 7,
        DroppedCount: 9,
        Failures: [told],
        FailedCount: 8,
      },
    ],
    Outputs: [
      {
        Kind: 'documents',
        Accounting: 'delivered',
        Target: { index: 'logs' },
        RecordCount: 3,
        SizeBytes: 0,
        Records: [{ Item: { _id: 'x' }, Text: '{}' }, { Item: { rows: [] } }, told],
      },
      {
        Kind: 's3',
        Accounting: 'copy',
        Target: { bucket: 'b', key: 'k' },
        RecordCount: 1,
        SizeBytes: 30,
        Content: { Format: 'GZIP', Text: 'x' },
      },
    ],
    OutputCount: 200,
  })
  expect({ puts: api.puts, sealed: api.sealed }).toEqual({ puts: [], sealed: [] })
})

test.each<[string, ExplainedContent, object]>([
  [
    'text that is cut within a character',
    { format: 'UNCOMPRESSED', head: Buffer.from('aé').subarray(0, 2), isWhole: false },
    { Format: 'UNCOMPRESSED', Text: 'a', IsCut: true },
  ],
  [
    'text that ends within a character',
    { format: 'UNCOMPRESSED', head: Buffer.from('aé').subarray(0, 2), isWhole: true },
    { Format: 'UNCOMPRESSED', Data: 'YcM=' },
  ],
  [
    'text with a byte order mark',
    { format: 'UNCOMPRESSED', head: Buffer.from('\uFEFFa'), isWhole: true },
    { Format: 'UNCOMPRESSED', Text: '\uFEFFa' },
  ],
  ['Parquet', { format: 'PARQUET', isWhole: false }, { Format: 'PARQUET' }],
])('%s is shown as it is', async (_name, content, Content) => {
  const output = { kind: 's3', accounting: 'delivered', target: '', recordCount: 1, sizeBytes: 9 }
  await using api = await openWithStream(async () => {
    return {
      stages: [],
      outputs: [{ ...output, accounting: 'delivered', content }],
      outputCount: 1,
    }
  })
  const { body } = await api.route('POST', PATH, LOGS, { body: 'a' })
  expect(body).toMatchObject({ Outputs: [{ Content }] })
})

test('a record that a put would refuse is refused in the same words', async () => {
  await using api = await openWithStream(async () => NOTHING)
  const longest = Buffer.alloc(1_024_000)
  const tooLong = Buffer.alloc(1_024_001)
  expect((await api.route('POST', PATH, LOGS, { body: longest })).statusCode).toBe(200)
  const refusal = await refusalOf(api.route('POST', PATH, LOGS, { body: tooLong }))
  expect(refusal).toEqual(
    await api.refusal('PutRecord', {
      DeliveryStreamName: 'logs',
      Record: { Data: tooLong.toString('base64') },
    }),
  )
  expect(refusal).toMatchObject({ __type: 'ValidationException' })
})

test('an unknown stream is refused', async () => {
  await using api = await openWithStream(async () => NOTHING)
  expect(await refusalOf(api.route('POST', PATH, { name: 'other' }))).toEqual({
    __type: 'ResourceNotFoundException',
    message: 'Firehose other under account 123456789012 not found.',
  })
})

test('what does not answer now is named, and an SDK would ask again', async () => {
  await using api = await openWithStream(async () => {
    const options = { retryable: true, effect: 'none' } as const
    throw new DeliveryError('Redshift.ConnectionFailed', 'Cannot connect', options)
  })
  await expect(api.route('POST', PATH, LOGS, { body: 'a' })).rejects.toMatchObject({
    statusCode: 503,
    type: 'ServiceUnavailableException',
    message: 'Cannot explain now: Redshift.ConnectionFailed: Cannot connect',
  })
})
