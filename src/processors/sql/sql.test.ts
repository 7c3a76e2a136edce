import * as fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { runProcessor } from '../../../test/fakes/processing.ts'
import type { ProcessorRun } from '../../../test/fakes/processing.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/logger.ts'
import { SqlEngine } from './sql-engine.ts'
import { sql } from './sql.ts'

const clock = { ...systemClock, nowMs: () => 5 }
const engine = new SqlEngine({ clock, logger: silentLogger })
afterAll(() => engine.close())

async function run(
  query: string,
  records: Parameters<typeof runProcessor>[1],
): Promise<ProcessorRun> {
  return await runProcessor(sql({ query, engine, clock }), records, { groupSize: 2 })
}

/** The rows' texts, without any failure. */
async function rowsOf(query: string, ...records: readonly string[]): Promise<readonly string[]> {
  const { out, failed } = await run(query, records)
  expect(failed).toEqual([])
  return out.map(({ data }) => data.toString())
}

test('rows take the places of records; the rest is dropped', async () => {
  const records = ['{"l":"error","n":1}', '{"l":"info","n":2}', '{"l":"error","n":3}']
  const filtered = await run("SELECT n, n + 1 AS m FROM records WHERE l = 'error'", records)
  const arrivalMs = 1_700_000_000_000
  expect(filtered.out).toEqual(
    ['{"n":1,"m":2}', '{"n":3,"m":4}'].map((text, ordinal) => {
      const data = Buffer.from(text)
      return { ordinal, arrivalMs, data, original: data }
    }),
  )
  expect([filtered.dropped, filtered.made, filtered.failed]).toEqual([[2], 0, []])

  const none = await run('SELECT n FROM records WHERE n > 9', records)
  expect([none.out, none.dropped]).toEqual([[], [0, 1, 2]])
})

test('rows beyond the records are parts of the last one', async () => {
  const { out, made, dropped } = await run('SELECT unnest([n, n, n]) AS n FROM records', [
    '{"n":1}',
    '{"n":2}',
  ])
  expect(out.map(({ ordinal, part, data }) => [ordinal, part, data.toString()])).toEqual([
    [0, undefined, '{"n":1}'],
    [1, undefined, '{"n":1}'],
    [1, 1, '{"n":1}'],
    [1, 2, '{"n":2}'],
    [1, 3, '{"n":2}'],
    [1, 4, '{"n":2}'],
  ])
  expect([made, dropped]).toEqual([4, []])
})

test('aggregates and windows are over the batch, and in the order asked for', async () => {
  const records = [3, 1, 2, 5, 4].map((n) => `{"d":"${n % 2}","n":${n}}`)
  expect(
    await rowsOf(
      'SELECT d, count(*) AS c, sum(n) AS s FROM records GROUP BY d ORDER BY d',
      ...records,
    ),
  ).toEqual(['{"d":"0","c":2,"s":6}', '{"d":"1","c":3,"s":9}'])
  expect(
    await rowsOf(
      'WITH x AS (SELECT *, row_number() OVER (ORDER BY n DESC) AS r FROM records) FROM x WHERE r < 3;',
      ...records,
    ),
  ).toEqual(['{"d":"1","n":5,"r":1}', '{"d":"0","n":4,"r":2}'])
})

test('values keep their digits and take forms of JSON', async () => {
  const record =
    '{"i":9007199254740993,"h":123456789012345678901234567890,"d":0.1,"e":1e300,"o":{"x":[1,{"y":null}]},"l":[],"m":"ü\\"\\u0000","z":{}}'
  expect(await rowsOf('SELECT * FROM records', record)).toEqual([
    '{"i":9007199254740993,"h":123456789012345678901234567890,"d":0.1,"e":1e300,"o":{"x":[1,{"y":null}]},"l":[],"m":"ü\\"\\u0000","z":{}}',
  ])
  const types = {
    "CAST('12345678901234567890.10' AS DECIMAL(30,2))": '12345678901234567890.10',
    "TIMESTAMP '2026-01-02 03:04:05.5'": '"2026-01-02T03:04:05.5"',
    "TIMESTAMPTZ '2026-01-02 03:04:05+02'": '"2026-01-02T01:04:05Z"',
    "DATE '2026-01-02'": '"2026-01-02"',
    "'nan'::DOUBLE": 'null',
    "'-inf'::FLOAT": 'null',
    '0.1::FLOAT': '0.1',
    "'a\\xFF'::BLOB": '"Yf8="',
    "[TIMESTAMP '2026-01-02 03:04:05', NULL]": '["2026-01-02T03:04:05",null]',
    "{'a b': 'nan'::DOUBLE, 'c': [{'t': TIMESTAMP '2026-01-02 03:04:05'}]}":
      '{"a b":null,"c":[{"t":"2026-01-02T03:04:05"}]}',
    "MAP {'k': TIMESTAMP '2026-01-02 03:04:05'}": '{"k":"2026-01-02T03:04:05"}',
    'NULL::STRUCT(x DOUBLE)': 'null',
    "INTERVAL '1 day'": '"1 day"',
  }
  const [row] = await rowsOf(
    `SELECT ${Object.keys(types)
      .map((type, index) => `${type} AS c${index}`)
      .join(', ')} FROM records`,
    '{}',
  )
  const expected = Object.values(types).map((text, index) => `"c${index}":${text}`)
  expect(row).toBe(`{${expected.join(',')}}`)
})

test('names of columns are as selected, also such as need quotes', async () => {
  expect(
    await rowsOf(
      `SELECT "a ""b""" AS "x'y", "A ""b""" + 1 AS "ü€", 3 AS x, 4 AS x FROM records`,
      '{"a \\"b\\"":1}',
    ),
  ).toEqual([`{"x'y":1,"ü€":2,"x":3,"x_1":4}`])
})

test('what no record of the batch has is null, wherever the query uses it', async () => {
  const query = `SELECT r.user.nick AS nick, upper(gone) AS gone, lost.deep AS deep, sum(n) OVER () AS s
    FROM records r WHERE absent IS NULL AND coalesce(flag, 'x') = 'x' ORDER BY nick`
  expect(await rowsOf(query, '{"user":{"name":"a"}}', '{"user":null,"flag":null}')).toEqual([
    '{"nick":null,"gone":null,"deep":null,"s":null}',
    '{"nick":null,"gone":null,"deep":null,"s":null}',
  ])
  expect(await rowsOf(query, '{"user":{"nick":"b"},"gone":"x","n":2}', '{"n":3}')).toEqual([
    '{"nick":"b","gone":"X","deep":null,"s":5}',
    '{"nick":null,"gone":null,"deep":null,"s":5}',
  ])
  const { failed } = await run(query, ['{"lost":"a text has nothing in it"}'])
  expect(failed.map(({ failure }) => failure.errorMessage)).toEqual([
    `Binder Error: Cannot extract field 'deep' from expression "lost" because it is not a struct, union, map, or json`,
  ])
})

test('_record is the record as it came, and alone it is what goes out', async () => {
  const records = ['{"b": 1.10,\n "a":[ ]}', '{"b":2,"_record":"mine"}']
  expect(await rowsOf('SELECT _record FROM records WHERE b < 2', ...records)).toEqual([records[0]])
  expect(await rowsOf('SELECT r._record AS _record, b FROM records r LIMIT 1', ...records)).toEqual(
    ['{"_record":{"b":1.1,"a":[]},"b":1.1}'],
  )
  expect(await rowsOf('SELECT * FROM records WHERE b = 2', ...records)).toEqual([
    '{"b":2.0,"a":null}',
  ])
})

test('records that are no JSON objects fail, and the others go on', async () => {
  const invalid = [
    '',
    'text',
    '[{"a":1}]',
    '"a"',
    'null',
    '{"a":1}{"a":2}',
    '{"a":"\\ud800"}',
    Buffer.from('{"a":"\xff"}', 'latin1'),
  ]
  const { out, failed, dropped, made } = await run('SELECT a FROM records', [
    '{"a":1}',
    ...invalid,
    '{"a":2}',
  ])
  expect(out.map(({ ordinal, data }) => [ordinal, data.toString()])).toEqual([
    [0, '{"a":1}'],
    [9, '{"a":2}'],
  ])
  expect(failed.map(({ record }) => record.original)).toEqual(
    invalid.map((text) => Buffer.from(text)),
  )
  expect(failed[0]?.failure).toEqual({
    errorOutputType: 'processing-failed',
    errorCode: 'SQL.InvalidRecord',
    errorMessage: 'The record is not a JSON object',
    attemptsMade: 1,
    atMs: 5,
  })
  expect([dropped, made]).toEqual([[], 0])

  const nothing = await run('SELECT count(*) FROM records', ['text'])
  expect([nothing.out, nothing.failed.length, nothing.made]).toEqual([[], 1, 0])
  expect(await run('SELECT a FROM records', [])).toMatchObject({ out: [], failed: [] })
})

test('no record makes the others fail, whatever its keys and values are', async () => {
  const anything = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 4 }))
  await fc.assert(
    fc.asyncProperty(anything, async (record) => {
      const rows = await rowsOf('SELECT * FROM records', '{"a":1}', JSON.stringify(record))
      expect(rows.map((row) => typeof JSON.parse(row))).toEqual(['object', 'object'])
    }),
    { numRuns: 25 },
  )
  const wide = (count: number): string =>
    JSON.stringify(
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 1])),
    )
  const { out, failed } = await run('SELECT * FROM records', [
    '{"a":1}',
    `{"a":${wide(50_000)}}`,
    wide(1_000),
    `{"b":${wide(999)}}`,
    wide(998),
    `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
  ])
  expect(out).toHaveLength(5)
  expect(failed.map(({ record, failure }) => [record.ordinal, failure.errorMessage])).toEqual([
    [2, "The record's keys would make more than 1000 columns"],
  ])
})

test('a query that fails on the batch fails all its records, as they were accepted', async () => {
  const original = Buffer.from('compressed')
  const { out, failed } = await run('SELECT (a::INTEGER) AS a FROM records', [
    { ordinal: 3, arrivalMs: 1, data: Buffer.from('{"a":"x"}'), original },
    '{"a":"1"}',
  ])
  expect(out).toEqual([])
  expect(failed.map(({ record, failure }) => [record.original.toString(), failure])).toEqual(
    ['compressed', '{"a":"1"}'].map((text) => [
      text,
      {
        errorOutputType: 'processing-failed',
        errorCode: 'SQL.QueryFailed',
        errorMessage: expect.stringContaining("Could not convert string 'x' to INT32"),
        attemptsMade: 1,
        atMs: 5,
      },
    ]),
  )
})

test('keys that differ in case are one column', async () => {
  expect(await rowsOf('SELECT * FROM records', '{"Id":1,"ID":2}', '{"iD":3}')).toEqual([
    '{"Id":1}',
    '{"Id":null}',
  ])
})
