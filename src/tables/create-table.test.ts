import { expect, test } from 'vitest'
import { ConfigurationError } from '../destination.ts'
import { columnsOfCreateTable } from './create-table.ts'

test('columns are read from what Athena makes of a table', () => {
  const text = `
    -- Access log; columns (as of 2024)
    CREATE EXTERNAL TABLE IF NOT EXISTS \`logs\`.\`access\`(
      \`Id\` bigint COMMENT 'it''s the id, (unique) \\' -- really',
      amount decimal(10, 2),
      /* nested, too */
      tags array < string > comment "some, tags",
      detail STRUCT<\`a\`: int COMMENT 'x', b: map<string, array<varchar(3)>>>,
      \`a.b, c\` date)
    COMMENT 'a table'
    PARTITIONED BY (dt string, hour int)
    ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'
    STORED AS PARQUET LOCATION 's3://bucket/logs/'`
  expect(columnsOfCreateTable(text)).toEqual([
    { name: 'id', type: 'bigint' },
    { name: 'amount', type: 'decimal(10,2)' },
    { name: 'tags', type: 'array<string>' },
    { name: 'detail', type: 'STRUCT<`a`:int,b:map<string,array<varchar(3)>>>' },
    { name: 'a.b, c', type: 'date' },
  ])
})

test('a temporary table without anything behind its columns is one', () => {
  expect(columnsOfCreateTable('create temporary table t (a int);')).toEqual([
    { name: 'a', type: 'int' },
  ])
})

test.each([
  ['SELECT (1)', 'it must begin with CREATE TABLE and name its columns in brackets'],
  ['CREATE TABLE t LIKE u', 'it must begin with CREATE TABLE and name its columns in brackets'],
  ['CREATE TABLE t (a int', 'the list of its columns does not end'],
  ['CREATE TABLE t ()', "'' is no name of a column"],
  ['CREATE TABLE t (a int,)', "'' is no name of a column"],
  ['CREATE TABLE t ((a int))', "'(' is no name of a column"],
  ['CREATE TABLE t (a)', 'the column a must have a type and nothing else but a COMMENT'],
  [
    "CREATE TABLE t (a int DEFAULT 'x')",
    'the column a must have a type and nothing else but a COMMENT',
  ],
])('%s is refused', (text, reason) => {
  expect(() => columnsOfCreateTable(text)).toThrow(
    new ConfigurationError(`Cannot read CREATE TABLE: ${reason}`),
  )
})
