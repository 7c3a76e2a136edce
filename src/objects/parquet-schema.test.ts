import { expect, test } from 'vitest'
import { parseHiveType } from '../processors/conversion/hive-type.ts'
import { parquetSchema } from './parquet-schema.ts'

/** A column of the type, without the root. */
function elementsOf(type: string): object[] {
  return parquetSchema([{ name: 'c', type: parseHiveType(type) }]).slice(1)
}

test('nested types are groups of three levels, where all but keys may be null', () => {
  expect(elementsOf('map<string,struct<a:array<int>,b:smallint>>')).toEqual([
    {
      name: 'c',
      repetition_type: 'OPTIONAL',
      num_children: 1,
      converted_type: 'MAP',
      logical_type: { type: 'MAP' },
    },
    { name: 'key_value', repetition_type: 'REPEATED', num_children: 2 },
    {
      name: 'key',
      repetition_type: 'REQUIRED',
      type: 'BYTE_ARRAY',
      converted_type: 'UTF8',
      logical_type: { type: 'STRING' },
    },
    { name: 'value', repetition_type: 'OPTIONAL', num_children: 2 },
    {
      name: 'a',
      repetition_type: 'OPTIONAL',
      num_children: 1,
      converted_type: 'LIST',
      logical_type: { type: 'LIST' },
    },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', repetition_type: 'OPTIONAL', type: 'INT32' },
    { name: 'b', repetition_type: 'OPTIONAL', type: 'INT32', converted_type: 'INT_16' },
  ])
})

test.each([
  [1, 1],
  [2, 1],
  [3, 2],
  [9, 4],
  [10, 5],
  [18, 8],
  [19, 9],
  [38, 16],
])('a decimal of %i digits takes %i bytes', (precision, type_length) => {
  expect(elementsOf(`decimal(${precision},1)`)).toMatchObject([
    { type: 'FIXED_LEN_BYTE_ARRAY', type_length, precision, scale: 1 },
  ])
})

test('a timestamp is microseconds without a zone, in the words of old readers and new ones', () => {
  expect(elementsOf('timestamp')).toEqual([
    {
      name: 'c',
      repetition_type: 'OPTIONAL',
      type: 'INT64',
      converted_type: 'TIMESTAMP_MICROS',
      logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' },
    },
  ])
})
