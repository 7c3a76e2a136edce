/** Record format conversion in the real process: from PutRecordBatch to Parquet in a bucket. */
import { parquetReadObjects } from 'hyparquet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import type { DeliveredObject } from './objects.ts'
import {
  errorRecords,
  processing,
  ProcessingService,
  processor,
  ROLE,
} from './processing-service.ts'

const TABLES = [
  {
    database: 'shop',
    table: 'orders',
    createTable:
      'CREATE TABLE orders (id bigint, customer string, items array<struct<sku:string>>)',
  },
  { database: 'shop', table: 'odd', createTable: 'CREATE TABLE odd (tags set<string>)' },
]

let standpipe: ProcessingService
beforeAll(async () => {
  // Whatever this machine's role may do in AWS, it is not asked.
  const environment = { AWS_EC2_METADATA_DISABLED: 'true' }
  const tables = { STANDPIPE_TABLES: JSON.stringify(TABLES) }
  standpipe = await ProcessingService.start({}, { ...environment, ...tables })
})
afterAll(async () => standpipe?.[Symbol.asyncDispose]())

function conversionTo(TableName: string): JsonObject {
  return {
    SchemaConfiguration: { RoleARN: ROLE, DatabaseName: 'shop', TableName },
    InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
    OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
  }
}

function rowsOf({ bytes }: DeliveredObject): Promise<object[]> {
  return parquetReadObjects({ file: new Uint8Array(bytes).buffer })
}

test('records become rows of a Parquet file; those that cannot go to the error output', async () => {
  await standpipe.createS3Stream('orders', {
    DataFormatConversionConfiguration: conversionTo('orders'),
  })
  const records = [
    '{"Id":12345678901234567,"customer":"a","items":[{"sku":"x"},{}]}',
    'no JSON',
    '{"id":2}\n{"id":3,"customer":"b","items":[]}',
    '{"id":"many"}',
  ]
  const ids = await standpipe.put('orders', records)
  expect(await standpipe.settled('orders')).toMatchObject({
    accepted: 4,
    made: 0,
    delivered: 2,
    errored: 2,
  })
  const objects = await standpipe.objects('orders')
  expect(objects.map(({ key }) => key)).toEqual([
    expect.stringMatching(/^data\/\d{4}(\/\d\d){3}\/orders-1-[\w-]+\.parquet$/),
    expect.stringMatching(/^errors\/format-conversion-failed\/orders-1-[\w-]+$/),
  ])
  expect(await rowsOf(objects[0] as DeliveredObject)).toEqual([
    { id: 12_345_678_901_234_567n, customer: 'a', items: [{ sku: 'x' }, { sku: null }] },
    { id: 2n, customer: null },
    { id: 3n, customer: 'b', items: [] },
  ])
  const table = {
    catalogId: '000000000000',
    databaseName: 'shop',
    tableName: 'orders',
    region: 'us-east-1',
    versionId: 'LATEST',
    catalogArn: 'arn:aws:glue:us-east-1:000000000000:catalog',
  }
  const errorOf = (index: number, code: string, message: string): object => ({
    attemptsMade: 1,
    arrivalTimestamp: expect.any(Number) as number,
    lastErrorCode: `DataFormatConversion.${code}`,
    lastErrorMessage: expect.stringContaining(message) as string,
    attemptEndingTimestamp: expect.any(Number) as number,
    rawData: Buffer.from(records[index] ?? '').toString('base64'),
    sequenceNumber: ids[index],
    subSequenceNumber: 0,
    dataCatalogTable: table,
  })
  expect(errorRecords(objects, 'format-conversion-failed')).toEqual([
    errorOf(1, 'ParseError', 'Encountered malformed JSON'),
    errorOf(3, 'MalformedData', 'Data does not match the schema: id: expected bigint'),
  ])
})

test('each partition is a file of its own', async () => {
  await standpipe.createS3Stream('parts', {
    Prefix: 'data/customer=!{partitionKeyFromQuery:c}/',
    DynamicPartitioningConfiguration: { Enabled: true },
    DataFormatConversionConfiguration: conversionTo('orders'),
    ...processing(
      processor('MetadataExtraction', {
        MetadataExtractionQuery: '{c: .customer}',
        JsonParsingEngine: 'JQ-1.6',
      }),
    ),
  })
  const records = Array.from({ length: 60 }, (_, id) => `{"id":${id},"customer":"c${id % 3}"}`)
  await standpipe.put('parts', records)
  expect(await standpipe.settled('parts')).toMatchObject({ accepted: 60, delivered: 60 })
  const objects = await standpipe.objects('parts')
  const found = await Promise.all(
    objects.map(async (object) => [object.key.split('/')[1], await rowsOf(object)]),
  )
  expect(Object.fromEntries(found)).toEqual(
    Object.fromEntries(
      [0, 1, 2].map((part) => [
        `customer=c${part}`,
        Array.from({ length: 20 }, (_, index) => ({
          id: BigInt(index * 3 + part),
          customer: `c${part}`,
        })),
      ]),
    ),
  )
})

test.each([
  ['nowhere', 'The table shop.nowhere is not known: describe it by createTable or definition'],
  ['odd', "Cannot use the type set<string>: 'set' is not supported"],
])('a stream into the table %s is not made', async (tableName, message) => {
  await expect(
    standpipe.createS3Stream(`into-${tableName}`, {
      DataFormatConversionConfiguration: conversionTo(tableName),
    }),
  ).rejects.toThrow(message)
})
