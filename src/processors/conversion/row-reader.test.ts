import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Deserializer } from './conversion-configuration.ts'
import { InvalidSchema } from './hive-type.ts'
import { RowReader } from './row-reader.ts'
import type { Row } from './row-reader.ts'

const HIVE: Deserializer = { HiveJsonSerDe: {} }

function readerOf(columns: Record<string, string>, deserializer: Deserializer = {}): RowReader {
  return new RowReader(
    {
      catalogId: '000000000000',
      databaseName: 'd',
      tableName: 't',
      region: 'us-east-1',
      versionId: 'LATEST',
      columns: Object.entries(columns).map(([name, type]) => ({ name, type })),
    },
    deserializer,
  )
}

function rowsOf(
  record: string,
  columns: Record<string, string>,
  deserializer: Deserializer = {},
): readonly Row[] {
  return [...readerOf(columns, deserializer).rows(Buffer.from(record))]
}

/** The value of a column `c` of the type, from its JSON. */
function read(type: string, json: string, deserializer: Deserializer = {}): unknown {
  return rowsOf(`{"c":${json}}`, { c: type }, deserializer)[0]?.[0]
}

function problem(type: string, json: string, deserializer: Deserializer = {}): unknown {
  try {
    return { read: read(type, json, deserializer) }
  } catch (error) {
    const { errorCode, message } = error as { errorCode: string; message: string }
    return [errorCode.split('.')[1], message.replace('Data does not match the schema: ', '')]
  }
}

test.each<[string, string, unknown]>([
  ['tinyint', '-128', -128],
  ['smallint', '32767', 32_767],
  ['int', '1.0', 1],
  ['int', '2e3', 2000],
  ['bigint', '9007199254740993', 9_007_199_254_740_993n],
  ['bigint', '-9223372036854775808', -(2n ** 63n)],
  ['bigint', '1e3', 1000n],
  ['float', '0.1', 0.1],
  ['double', '1e-400', 0],
  ['decimal(10,2)', '12.345', 1235n],
  ['decimal(38,20)', '0.10000000000000000001', 10_000_000_000_000_000_001n],
  ['decimal(38,0)', '99999999999999999999999999999999999999', 10n ** 38n - 1n],
  ['boolean', 'false', false],
  ['string', '"é"', 'é'],
  ['string', '1.10', '1.10'],
  ['string', 'true', 'true'],
  ['varchar(2)', '"😀äb"', '😀ä'],
  ['char(3)', '"a   "', 'a'],
  ['binary', '"AAEC"', Buffer.from([0, 1, 2])],
  ['binary', '""', Buffer.alloc(0)],
  ['date', '"1970-01-03"', 2],
  ['array<int>', '[1,null]', [1, null]],
  [
    'map<string,int>',
    '{"A":1,"b":null}',
    [
      { key: 'A', value: 1 },
      { key: 'b', value: null },
    ],
  ],
  ['map<int,string>', '{"1":"x"}', [{ key: 1, value: 'x' }]],
  ['struct<a:int,b:struct<c:string>>', '{"B":{"C":"x"},"z":1}', { a: null, b: { c: 'x' } }],
  ['int', 'null', null],
  ['struct<a:int>', 'null', null],
])('both SerDes read %s from %s', (type, json, expected) => {
  expect(read(type, json)).toEqual(expected)
  expect(read(type, json, HIVE)).toEqual(expected)
})

test.each<[string, string, unknown, string]>([
  ['int', '"12"', 12, 'c: expected int, found a string'],
  ['bigint', '"9007199254740993"', 9_007_199_254_740_993n, 'c: expected bigint, found a string'],
  ['double', '"1.5"', 1.5, 'c: expected double, found a string'],
  ['decimal(4,2)', '"1.005"', 101n, 'c: expected decimal, found a string'],
  ['boolean', '"True"', true, 'c: expected boolean, found a string'],
  ['string', '{"a": [1.0, "x"]}', '{"a":[1.0,"x"]}', 'c: expected string, found an object'],
  ['string', '[1]', '[1]', 'c: expected string, found an array'],
  ['timestamp', '1518033528', 1_518_033_528_000_000n, 'c: expected timestamp, found a number'],
  [
    'timestamp',
    '1518033528.123456',
    1_518_033_528_123_456n,
    'c: expected timestamp, found a number',
  ],
  ['timestamp', '"1970-01-01T00:00:01Z"', 1_000_000n, 'c: expected timestamp, found a string'],
])('OpenX reads %s from %s, which Hive refuses', (type, json, expected, reason) => {
  expect(read(type, json)).toEqual(expected)
  expect(problem(type, json, HIVE)).toEqual(['MalformedData', reason])
})

test.each([
  ['tinyint', '128', 'c: expected tinyint, found a number'],
  ['int', '1.5', 'c: expected int, found a number'],
  ['bigint', '9223372036854775808', 'c: expected bigint, found a number'],
  ['bigint', '1e300', 'c: expected bigint, found a number'],
  ['float', '1e39', 'c: expected float, found a number'],
  ['double', '1e400', 'c: expected double, found a number'],
  ['double', '"fast"', 'c: expected double, found a string'],
  ['decimal(4,2)', '100', 'c: expected decimal, found a number'],
  ['boolean', '1', 'c: expected boolean, found a number'],
  ['boolean', '"yes"', 'c: expected boolean, found a string'],
  ['binary', '"?"', 'c: expected binary, found a string'],
  ['binary', '"AAE"', 'c: expected binary, found a string'],
  ['date', '"2023-02-29"', 'c: expected date, found a string'],
  ['date', '1', 'c: expected date, found a number'],
  ['timestamp', '"soon"', 'c: expected timestamp, found a string'],
  ['array<int>', '{}', 'c: expected array, found an object'],
  ['array<int>', '[1,true]', 'c[1]: expected int, found a boolean'],
  ['map<string,int>', '[]', 'c: expected map, found an array'],
  ['map<string,int>', '{"k":[]}', 'c.k: expected int, found an array'],
  ['map<int,int>', '{"k":1}', 'c.k: expected int, found a string'],
  ['struct<a:int>', '7', 'c: expected struct, found a number'],
  ['array<struct<a:array<int>>>', '[{},{"a":[0,{}]}]', 'c[1].a[1]: expected int, found an object'],
])('no SerDe reads %s from %s', (type, json, reason) => {
  expect(problem(type, json)).toEqual(['MalformedData', reason])
  expect(problem(type, json, HIVE)).toEqual(['MalformedData', reason])
})

test('Hive reads timestamps by its formats, the first that fits, else as SQL has them', () => {
  const sql = '"1970-01-01 00:00:01.5"'
  expect(read('timestamp', sql, HIVE)).toBe(1_500_000n)
  const formats = (...TimestampFormats: string[]): Deserializer => ({
    HiveJsonSerDe: { TimestampFormats },
  })
  expect(read('timestamp', '1500', formats('millis'))).toBe(1_500_000n)
  expect(read('timestamp', '"1500"', formats('yyyy/MM/dd', 'millis'))).toBe(1_500_000n)
  expect(read('timestamp', '"1970/01/02"', formats('yyyy/MM/dd', 'millis'))).toBe(86_400_000_000n)
  expect(problem('timestamp', sql, formats('millis'))).toEqual([
    'MalformedData',
    'c: expected timestamp, found a string',
  ])
})

test('keys are compared without regard to case unless OpenX is told otherwise', () => {
  const columns = { userid: 'int', s: 'struct<inner:int>' }
  const record = '{"UserId":1,"S":{"INNER":2}}'
  expect(rowsOf(record, columns)).toEqual([[1, { inner: 2 }]])
  expect(rowsOf(record, columns, HIVE)).toEqual([[1, { inner: 2 }]])
  const exact = { OpenXJsonSerDe: { CaseInsensitive: false } }
  expect(rowsOf(record, columns, exact)).toEqual([[null, null]])
  expect(rowsOf('{"userid":1,"s":{"inner":2}}', columns, exact)).toEqual([[1, { inner: 2 }]])
})

test("OpenX finds columns by other keys, and takes a key's dots for underscores", () => {
  const columns = { ts: 'int', a_b: 'int' }
  const deserializer = {
    OpenXJsonSerDe: {
      ConvertDotsInJsonKeysToUnderscores: true,
      ColumnToJsonKeyMappings: { ts: 'timestamp' },
    },
  }
  expect(rowsOf('{"Timestamp":1,"a.b":2}', columns, deserializer)).toEqual([[1, 2]])
  expect(rowsOf('{"ts":1,"a.b":2}', columns)).toEqual([[1, null]])
})

test('objects one after the other are rows; what is wrong with one is wrong with the record', () => {
  const columns = { a: 'bigint' }
  expect(rowsOf(' {"a":1}{"a":12345678901234567}\n{} ', columns)).toEqual([
    [1n],
    [12_345_678_901_234_567n],
    [null],
  ])
  expect(() => rowsOf('{"a":1}{"a":true}', columns)).toThrow('a: expected bigint, found a boolean')
  expect(() => rowsOf('{"a":1}[]', columns)).toThrow('Encountered malformed JSON: ')
})

test.each([
  ['', 'ParseError', 'The record was empty or contained only whitespace'],
  [' \n\t', 'ParseError', 'The record was empty or contained only whitespace'],
  ['{"c":', 'ParseError', 'Encountered malformed JSON: '],
  ['{c:1}', 'ParseError', 'Encountered malformed JSON: '],
  ['hello', 'ParseError', 'Encountered malformed JSON: '],
  ['[{"c":1}]', 'MalformedData', 'Data does not match the schema: it is not an object'],
  ['null', 'MalformedData', 'Data does not match the schema: it is not an object'],
  ['7', 'MalformedData', 'Data does not match the schema: it is not an object'],
])('the record %j is refused with %s', (record, code, message) => {
  expect(() => rowsOf(record, { c: 'int' })).toThrow(
    expect.objectContaining({
      errorCode: `DataFormatConversion.${code}`,
      message: expect.stringContaining(message) as string,
    }),
  )
})

test('JSON that is nested without end fails its record and nothing else', () => {
  const deep = `${'['.repeat(400_000)}${']'.repeat(400_000)}`
  expect(problem('string', deep)).toEqual([
    expect.stringMatching(/ParseError|MalformedData/),
    expect.any(String),
  ])
  expect(problem('string', `[1.5,${deep}]`)).toEqual([
    expect.stringMatching(/ParseError|MalformedData/),
    expect.any(String),
  ])
})

test('a text of a million digits is told from a number in no time', () => {
  const digits = '0'.repeat(1_000_000)
  for (const type of ['int', 'bigint', 'double', 'decimal(38,0)', 'timestamp', 'date']) {
    for (const text of [
      `${digits}x`,
      `1${digits}x`,
      `${digits}7e9999999999`,
      `${digits}.${digits}-`,
    ]) {
      expect(problem(type, JSON.stringify(text))).toMatchObject(['MalformedData', {}])
    }
    expect(problem(type, `1${digits}e5`)).toMatchObject(['MalformedData', {}])
  }
}, 5_000)

test('a key that a prototype has is a key like others', () => {
  const columns = { constructor: 'string', tostring: 'string' }
  expect(rowsOf('{}', columns)).toEqual([[null, null]])
  expect(rowsOf('{"__proto__":{"toString":"x"},"constructor":"c"}', columns)).toEqual([['c', null]])
})

test('what numbers a record holds besides changes nothing about how the others are read', () => {
  const columns = { i: 'int', b: 'bigint', d: 'decimal(30,10)', f: 'double', s: 'string' }
  fc.assert(
    fc.property(
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }),
      (integer, safe, double) => {
        const json = JSON.stringify({ i: integer, b: safe, d: double, f: double, s: double })
        const [row] = rowsOf(json, columns)
        expect(rowsOf(`${json.slice(0, -1)},"x":12345678901234567890}`, columns)).toEqual([row])
      },
    ),
  )
})

test('schemas that no rows fit are refused at once', () => {
  expect(() => readerOf({ a: 'set<int>' })).toThrow(InvalidSchema)
  expect(() => readerOf({ 'a.b': 'int' }, HIVE)).toThrow(
    'HiveJsonSerDe takes no column names with periods, such as a.b; OpenXJsonSerDe does',
  )
  expect(rowsOf('{"a.b":1}', { 'a.b': 'int' })).toEqual([[1]])
})
