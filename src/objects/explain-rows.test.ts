import { expect, test } from 'vitest'
import type { BatchRecord } from '../destination.ts'
import type { TableSchema } from '../table-schema.ts'
import { explainRows } from './explain-rows.ts'

const CONVERSION = { InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } } }

function tableOf(columns: Readonly<Record<string, string>>): TableSchema {
  return {
    catalogId: '000000000000',
    databaseName: 'd',
    tableName: 't',
    region: 'us-east-1',
    versionId: '0',
    columns: Object.entries(columns).map(([name, type]) => ({ name, type })),
  }
}

/** The rows of each record. */
async function rowsOf(columns: Readonly<Record<string, string>>, ...records: readonly string[]) {
  const group = records.map((text, ordinal): BatchRecord => {
    return { ordinal, arrivalMs: 0, data: Buffer.from(text) }
  })
  async function* groups() {
    yield await Promise.resolve(group)
  }
  const { items, refused } = await explainRows({ records: groups }, tableOf(columns), CONVERSION)
  expect({ ordinals: items.map(({ ordinal }) => ordinal), refused }).toEqual({
    ordinals: [...records.keys()],
    refused: [],
  })
  return items.map(({ item }) => item['rows'])
}

test('a record is as many rows as it holds objects, each with all columns', async () => {
  const rows = await rowsOf({ a: 'int', b: 'string' }, '{"a":1,"c":2}', '{"b":"x"}{}')
  expect(rows).toEqual([
    [{ a: 1, b: null }],
    [
      { a: null, b: 'x' },
      { a: null, b: null },
    ],
  ])
})

test.each([
  ['bigint', '-9223372036854775808', '-9223372036854775808'],
  ['decimal(5,2)', '-0.05', '-0.05'],
  [
    'decimal(38,0)',
    '12345678901234567890123456789012345678',
    '12345678901234567890123456789012345678',
  ],
  ['decimal(3,3)', '0.5', '0.500'],
  ['timestamp', '"1969-12-31 23:59:59.5"', '1969-12-31 23:59:59.500000'],
  ['timestamp', '"2026-11-21T12:00:00.000001Z"', '2026-11-21 12:00:00.000001'],
  ['date', '"1969-12-31"', '1969-12-31'],
  ['binary', '"AAH/"', 'AAH/'],
  ['double', '1.5', 1.5],
  ['boolean', '"true"', true],
  ['array<bigint>', '[1,null]', ['1', null]],
  ['map<string,decimal(3,1)>', '{"k":1}', [{ key: 'k', value: '1.0' }]],
  ['struct<x:date,y:int>', '{"x":"2026-11-21"}', { x: '2026-11-21', y: null }],
] as const)('a %s of %s', async (type, json, shown) => {
  expect(await rowsOf({ c: type }, `{"c":${json}}`)).toEqual([[{ c: shown }]])
})
