import { describe, expect, test } from 'vitest'
import type { Column } from './columns.ts'
import { parseCopyOptions } from './copy-options.ts'
import { recordLines } from './record-rows.ts'
import { RowRefused } from './row-refused.ts'

const COLUMNS: readonly Column[] = [
  { name: 'id', kind: 'other' },
  { name: 'name', kind: 'text', lengthMax: 3 },
]

function lines(record: string | Buffer, options: string, columns = COLUMNS): readonly string[] {
  return recordLines(Buffer.from(record), columns, parseCopyOptions(options))
}

/** The reason, without what the JSON parser has to say, where the record is refused. */
function linesOrReason(record: string, options: string): readonly string[] | string {
  try {
    return lines(record, options)
  } catch (error) {
    if (error instanceof RowRefused) return error.message.replace(/: .*/, '')
    throw error
  }
}

function one(field: string, options: string, column: Column): string {
  return lines(field, options, [column]).join('\n')
}

describe('delimited text', () => {
  test.each([
    ['', '', []],
    ['1|a', '', ['1\ta']],
    ['1|a\n2|b\r\n', '', ['1\ta', '2\tb']],
    ['1|', '', ['1\t']],
    ['|a', '', ['\\N\ta']],
    ['\\N|\\N', '', ['\\N\t\\N']],
    ['1|a\\b\tc', '', ['1\ta\\\\b\\tc']],
    [
      '1|a\\|b\\\nc\\\\|\n',
      "ESCAPE DELIMITER '|' FILLRECORD",
      'extra data after last expected column',
    ],
    ['1|a\\|b\\\nc', 'ESCAPE', ['1\ta|b\\nc']],
    ['1|a\\b\n2|\\N\n', 'ESCAPE', ['1\tab', '2\t\\N']],
    ['1\\2|', 'ESCAPE', ['12\t']],
    ['1|\\', 'ESCAPE', ['1\t']],
    ['\ufeff1|a', '', ['1\ta']],
    ['1\n', 'FILLRECORD', ['1\t']],
    ['1\n', 'FILLRECORD EMPTYASNULL', ['1\t\\N']],
    ['1|a\n\n2|b', 'IGNOREBLANKLINES', ['1\ta', '2\tb']],
    ['1', '', 'missing data for column "name"'],
    ['1|a|', '', 'extra data after last expected column'],
    ['1|a\n\n', '', 'missing data for column "name"'],
  ])('%j with %s', (record, options, expected) => {
    expect(linesOrReason(record, options)).toEqual(expected)
  })
})

describe('CSV', () => {
  test.each([
    ['1,a\n2,b', ['1\ta', '2\tb']],
    ['1,a\r\n2,"b"\r\n', ['1\ta', '2\tb']],
    ['1,', ['1\t']],
    ['1,\n2,b', ['1\t', '2\tb']],
    ['1,"a ""b"", c\nd"', ['1\ta "b", c\\nd']],
    ['1,"\\N"\n2,\\N', ['1\t\\\\N', '2\t\\N']],
    ['1,a"b', ['1\ta"b']],
    ['1,"a', 'unterminated CSV quoted field'],
    ['1,"a"b', 'CSV quoted field is followed by more text'],
  ])('%j', (record, expected) => {
    expect(linesOrReason(record, 'CSV')).toEqual(expected)
  })
})

describe('JSON', () => {
  test.each([
    ['{"id":1,"name":"a"}', "JSON 'auto'", ['1\ta']],
    ['{"ID":1,"Name":"a"}', "JSON 'auto'", ['\\N\t\\N']],
    ['{"ID":1,"Name":"a"}', "JSON 'auto ignorecase'", ['1\ta']],
    ['{"id":1}{"id":2}\n {"id":3}', "JSON 'auto'", ['1\t\\N', '2\t\\N', '3\t\\N']],
    [
      '{"id":123456789012345678901.50,"name":{"n":[1e400]}}',
      "JSON 'auto'",
      ['123456789012345678901.50\t{"n":[1e400]}'],
    ],
    ['{"id":true,"name":null,"__proto__":1}', "JSON 'auto'", ['true\t\\N']],
    ['{"name":"}{\\"","id":1}{"id":2}', "JSON 'auto'", ['1\t}{"', '2\t\\N']],
    [' \n', "JSON 'auto'", []],
    ['[1,"a"]', `JSON '{"jsonpaths":["$[0]","$[1]"]}'`, ['1\ta']],
    ['{"a":{"b":1}}', `JSON '{"jsonpaths":["$.a.b","$[''a''].toString"]}'`, ['1\t\\N']],
    ['{"id":-0}{"id": -1.50 }{"id":1e3}', "JSON 'auto'", ['-0\t\\N', '-1.50\t\\N', '1e3\t\\N']],
    ['{"id":9007199254740993}', "JSON 'auto'", ['9007199254740993\t\\N']],
    ['[1]', "JSON 'auto'", 'JSON value is not an object'],
    ['1.5', "JSON 'auto'", 'JSON value is not an object'],
    ['{"id":1', "JSON 'auto'", 'invalid JSON'],
    ['{"id":1} x', "JSON 'auto'", 'invalid JSON'],
    ['}', "JSON 'auto'", 'invalid JSON'],
  ])('%j with %s', (record, options, expected) => {
    expect(linesOrReason(record, options)).toEqual(expected)
  })

  test('into a column of JSON, values stay what they are', () => {
    const column: Column = { name: 'v', kind: 'json' }
    const values = ['"text"', '1', 'null', '{"a":[]}'].map((value) =>
      one(`{"v":${value}}`, "JSON 'auto'", column),
    )
    expect(values).toEqual(['"text"', '1', '\\N', '{"a":[]}'])
  })
})

describe('fields', () => {
  const text: Column = { name: 'v', kind: 'text', lengthMax: 3 }
  const date: Column = { name: 'v', kind: 'date' }
  const time: Column = { name: 'v', kind: 'time' }

  test.each<[field: string, options: string, column: Column, value: string]>([
    ['   ', '', text, '   '],
    ['   ', 'BLANKSASNULL', text, '\\N'],
    ['   ', '', date, '\\N'],
    ['a  ', 'TRIMBLANKS', text, 'a'],
    ['abcdef', 'TRUNCATECOLUMNS', text, 'abc'],
    ['a😀😀b', 'TRUNCATECOLUMNS', text, 'a😀😀'],
    ['nil', "NULL AS 'nil'", text, '\\N'],
    ['2026-11-21', "DATEFORMAT 'auto'", date, '2026-11-21'],
    ['21/11/2026', "DATEFORMAT 'DD/MM/YYYY'", date, '2026-11-21'],
    ['Nov-1-26', "DATEFORMAT 'MON-DD-YY'", date, '2026-11-01'],
    ['2026.11.21T9:05:06.25', "TIMEFORMAT 'YYYY.MM.DDTHH24:MI:SS'", time, '2026-11-21 09:05:06.25'],
    ['11/21/2026 12:05 AM', "TIMEFORMAT 'MM/DD/YYYY HH12:MI AM'", time, '2026-11-21 00:05:00'],
    ['11/21/2026 1:05 pm', "TIMEFORMAT 'MM/DD/YYYY HH12:MI PM'", time, '2026-11-21 13:05:00'],
    ['1700000000.5', "TIMEFORMAT 'epochsecs'", time, '2023-11-14T22:13:20.500Z'],
    ['1700000000123', "TIMEFORMAT 'epochmillisecs'", time, '2023-11-14T22:13:20.123Z'],
  ])('%j with %s', (field, options, column, value) => {
    expect(one(field, options, column)).toBe(value)
  })

  test.each([
    ['2026-11-21', "DATEFORMAT 'DD/MM/YYYY'", date],
    ['Foo-1-26', "DATEFORMAT 'MON-DD-YY'", date],
    ['soon', "TIMEFORMAT 'epochsecs'", time],
    ['9e99', "TIMEFORMAT 'epochsecs'", time],
  ])('%j with %s is refused', (field, options, column) => {
    expect(() => one(field, options, column)).toThrow(RowRefused)
  })

  test('a key of UPSERT cannot be NULL', () => {
    expect(() => lines('|a', 'UPSERT (id)')).toThrow('null value in column "id"')
  })

  test('bytes that are no UTF-8 are refused', () => {
    expect(() => lines(Buffer.from([0x31, 0xff]), '')).toThrow('invalid byte sequence')
  })
})
