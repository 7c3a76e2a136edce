import { expect, test } from 'vitest'
import { contains, InvalidSchema, parseHiveType, tableFields } from './hive-type.ts'

test('types are read as Hive writes them, whatever their case and spaces', () => {
  expect(
    parseHiveType(
      'STRUCT< `Id` : integer, d:decimal(5,2), n:numeric, tags: array<varchar(10)>,\n m:map<char(2),struct<x:binary>> >',
    ),
  ).toEqual({
    kind: 'struct',
    fields: [
      { name: 'Id', type: { kind: 'int' } },
      { name: 'd', type: { kind: 'decimal', precision: 5, scale: 2 } },
      { name: 'n', type: { kind: 'decimal', precision: 10, scale: 0 } },
      { name: 'tags', type: { kind: 'array', element: { kind: 'varchar', length: 10 } } },
      {
        name: 'm',
        type: {
          kind: 'map',
          key: { kind: 'char', length: 2 },
          value: { kind: 'struct', fields: [{ name: 'x', type: { kind: 'binary' } }] },
        },
      },
    ],
  })
})

test.each([
  ['set<int>', "'set' is not supported"],
  ['uniontype<int,string>', "'uniontype' is not supported"],
  ['array<set<int>>', "'set' is not supported"],
  ['', 'a name is missing'],
  ['array<int', "'>' is missing"],
  ['array<int,int>', 'there must be 1 between < and >'],
  ['map<string>', 'there must be 2 between < and >'],
  ['map<array<int>,int>', "a map's key can't be array"],
  ['struct<>', 'a name is missing'],
  ['struct<a>', "':' is missing"],
  ['struct<a:int,A:int>', "'a' is there twice"],
  ['struct<__proto__:int>', "a field can't be named '__proto__'"],
  ['decimal(39,0)', 'no decimal has precision 39 and scale 0'],
  ['decimal(5,6)', 'no decimal has precision 5 and scale 6'],
  ['decimal(a)', "'a' is no number"],
  ['varchar', "'(' is missing"],
  ['char(256)', 'no char has length 256'],
  ['int string', "'string' is too much"],
  [`${'array<'.repeat(66)}int${'>'.repeat(66)}`, 'it is nested deeper than 64 levels'],
])('the type %j is refused', (text, reason) => {
  expect(() => parseHiveType(text)).toThrow(
    new InvalidSchema(`Cannot use the type ${text}: ${reason}`),
  )
})

test('a table has columns, and each once', () => {
  const table = { catalogId: '', databaseName: 'd', tableName: 't', region: '', versionId: '' }
  expect(() => tableFields({ ...table, columns: [] })).toThrow('The table t has no columns')
  const columns = [
    { name: 'a', type: 'int' },
    { name: 'A', type: 'int' },
  ]
  expect(() => tableFields({ ...table, columns })).toThrow('The table t has the column a twice')
})

test('what a type contains is found at any depth', () => {
  const type = parseHiveType('map<int,array<struct<a:string,b:decimal(3,1)>>>')
  expect(contains(type, ['decimal'])).toBe(true)
  expect(contains(type, ['int'])).toBe(true)
  expect(contains(type, ['map'])).toBe(true)
  expect(contains(type, ['bigint', 'double'])).toBe(false)
})
