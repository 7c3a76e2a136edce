import { expect, test } from 'vitest'
import { parseColumnNames, parseTableName, quoteColumns, quoteTable } from './table-name.ts'

test.each([
  ['events', '"events"'],
  ['Public.Events', '"public"."events"'],
  [' "Own Schema" . "a""b" ', '"Own Schema"."a""b"'],
  ['größe_1$', '"größe_1$"'],
  ['"x; DROP TABLE y"', '"x; DROP TABLE y"'],
])('the table %s is %s', (text, sql) => {
  expect(quoteTable(parseTableName(text))).toBe(sql)
})

test('columns are separated by commas', () => {
  const names = parseColumnNames('Id, "Part, Of" ,n', 'DataTableColumns')
  expect(quoteColumns(names)).toBe('"id", "Part, Of", "n"')
})

test.each(['', 'a b', 'a; DROP TABLE b', 'a.b.c', '.a', 'a.', '1a', '"a', "a'", 'a--', 'a(b)'])(
  'there is no table %j',
  (text) => {
    expect(() => parseTableName(text)).toThrow('Invalid DataTableName')
  },
)
