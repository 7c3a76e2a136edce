import { expect, test } from 'vitest'
import { PROCESSING_BATCH_ID, runProcessor } from '../../../test/fakes/processing.ts'
import { ManualClock } from '../../../test/contracts/manual-clock.ts'
import { ConfigurationError, DeliveryError } from '../../destination.ts'
import type { Processor } from '../../processor.ts'
import { encodeRecordId } from '../../record.ts'
import type { TableSchema, Tables } from '../../table-schema.ts'
import { checkFormatConversion, formatConversion } from './format-conversion.ts'

const SCHEMA: TableSchema = {
  catalogId: '000000000000',
  databaseName: 'd',
  tableName: 't',
  region: 'us-east-1',
  versionId: 'LATEST',
  columns: [{ name: 'a', type: 'int' }],
}
const DESERIALIZER = { OpenXJsonSerDe: {} }
const clock = new ManualClock()

const CONFIGURATION = {
  Enabled: true,
  SchemaConfiguration: { RoleARN: 'r', DatabaseName: 'd', TableName: 't' },
  InputFormatConfiguration: { Deserializer: DESERIALIZER },
  OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
}

function tablesOf(schema: () => Promise<TableSchema>): Tables {
  return { schema, close: () => Promise.resolve() }
}

function conversion(schema: () => Promise<TableSchema>): Processor {
  return formatConversion({ configuration: CONFIGURATION, tables: tablesOf(schema), clock })
}

test('records that rows can be made of go on as they are; the others fail with what is wrong', async () => {
  const asked: number[] = []
  const processor = conversion(() => {
    asked.push(1)
    return Promise.resolve(SCHEMA)
  })
  const records = ['{"a":1}', '{"a":2}{"a":3}', '', '{"a":"x"}', '{"a":4}{', '{}']
  const run = await runProcessor(processor, records, { groupSize: 4 })
  expect(run.out.map(({ ordinal, data }) => [ordinal, String(data)])).toEqual([
    [0, '{"a":1}'],
    [1, '{"a":2}{"a":3}'],
    [5, '{}'],
  ])
  expect(run.failed.map(({ record, failure }) => [record.ordinal, failure])).toEqual([
    [2, failureOf(2, 'ParseError', 'The record was empty or contained only whitespace')],
    [
      3,
      failureOf(
        3,
        'MalformedData',
        'Data does not match the schema: a: expected int, found a string',
      ),
    ],
    [4, failureOf(4, 'ParseError', expect.stringContaining('Encountered malformed JSON: '))],
  ])
  expect(run.tableSchema).toEqual({ ...SCHEMA, deserializer: DESERIALIZER })
  expect(run.made).toBe(0)
  expect(asked).toEqual([1])
})

function failureOf(ordinal: number, code: string, errorMessage: unknown): object {
  return {
    errorOutputType: 'format-conversion-failed',
    errorCode: `DataFormatConversion.${code}`,
    errorMessage,
    attemptsMade: 1,
    atMs: clock.nowMs(),
    members: {
      sequenceNumber: encodeRecordId(PROCESSING_BATCH_ID, ordinal),
      subSequenceNumber: 0,
      dataCatalogTable: {
        catalogId: '000000000000',
        databaseName: 'd',
        tableName: 't',
        region: 'us-east-1',
        versionId: 'LATEST',
        catalogArn: 'arn:aws:glue:us-east-1:000000000000:catalog',
      },
    },
  }
}

test('the part of a record that was split is named by its number', async () => {
  const data = Buffer.from('?')
  const record = { ordinal: 7, part: 3, arrivalMs: 0, data, original: data }
  const { failed } = await runProcessor(
    conversion(() => Promise.resolve(SCHEMA)),
    [record],
  )
  expect(failed[0]?.failure.members).toMatchObject({
    sequenceNumber: encodeRecordId(PROCESSING_BATCH_ID, 7),
    subSequenceNumber: 3,
  })
})

test.each<[string, () => Promise<TableSchema>, object]>([
  [
    'a table that nobody knows',
    () => Promise.reject(new ConfigurationError('The table d.t is not known')),
    {
      errorCode: 'DataFormatConversion.InvalidSchema',
      message: 'The table d.t is not known',
      brake: true,
    },
  ],
  [
    'a table with a type that is not supported',
    () => Promise.resolve({ ...SCHEMA, columns: [{ name: 'a', type: 'set<int>' }] }),
    {
      errorCode: 'DataFormatConversion.InvalidSchema',
      message: "Cannot use the type set<int>: 'set' is not supported",
      brake: true,
    },
  ],
  [
    'a catalog that is down',
    () => Promise.reject(new Error('Cannot connect')),
    {
      errorCode: 'DataFormatConversion.SchemaUnavailable',
      message: 'Cannot connect',
      brake: false,
    },
  ],
])('%s fails no record: the batch waits', async (_what, schema, expected) => {
  const failure: unknown = await runProcessor(conversion(schema), ['{"a":1}']).catch(
    (error: unknown) => error,
  )
  expect(failure).toBeInstanceOf(DeliveryError)
  expect(failure).toMatchObject({ ...expected, retryable: true, effect: 'none' })
  // A stream that would wait from its first batch on is not made.
  const check = checkFormatConversion(CONFIGURATION, tablesOf(schema))
  await expect(check).rejects.toBeInstanceOf(ConfigurationError)
})

test('a table that records can be converted to is one that a stream can be made with', async () => {
  const tables = tablesOf(() => Promise.resolve(SCHEMA))
  await expect(checkFormatConversion(CONFIGURATION, tables)).resolves.toBeUndefined()
})
