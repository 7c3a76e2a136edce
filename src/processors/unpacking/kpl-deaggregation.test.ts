import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { runProcessor } from '../../../test/fakes/processing.ts'
import { kplRecords } from './kpl-aggregate.ts'
import { kplDeaggregation } from './kpl-deaggregation.ts'

const MAGIC = Buffer.from('f3899ac2', 'hex')

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

function bytesField(number: number, bytes: Buffer | string): Buffer {
  const value = Buffer.from(bytes)
  return Buffer.concat([varint(number * 8 + 2), varint(value.byteLength), value])
}

function varintField(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8), varint(value)])
}

function userRecord(data: Buffer | string, partitionKeyIndex = 0): Buffer {
  return bytesField(3, Buffer.concat([varintField(1, partitionKeyIndex), bytesField(3, data)]))
}

function sealed(...fields: readonly Buffer[]): Buffer {
  const message = Buffer.concat(fields)
  return Buffer.concat([MAGIC, message, createHash('md5').update(message).digest()])
}

function texts(blob: Buffer): readonly string[] | undefined {
  return kplRecords(blob)?.map((data) => data.toString())
}

test('an aggregate written out byte by byte gives its records', () => {
  const golden = Buffer.from(
    [
      'f3899ac2',
      '0a026b31', // partition_key_table: 'k1'
      '0a026b32',
      '120130', // explicit_hash_key_table: '0'
      '1a0a080010001a0268692200', // index 0, hash key 0, 'hi', a tag
      '1a0708011a03796f75', // index 1, 'you'
      '7f3c23be3fc76ab83c3bf7ae24f8be7e',
    ].join(''),
    'hex',
  )
  expect(texts(golden)).toEqual(['hi', 'you'])
})

test('records of an aggregate stand in its place, and others pass as they are', async () => {
  const blob = sealed(bytesField(1, 'k'), userRecord('a'), userRecord(''), userRecord('c'))
  const run = await runProcessor(kplDeaggregation(), ['before', blob, 'after'])
  expect(
    run.out.map(({ ordinal, part, data, original }) => [
      ordinal,
      part,
      data.toString(),
      original.toString(),
    ]),
  ).toEqual([
    [0, undefined, 'before', 'before'],
    [1, 0, 'a', 'a'],
    [1, 1, '', ''],
    [1, 2, 'c', 'c'],
    [2, undefined, 'after', 'after'],
  ])
  expect(run.made).toBe(2)
})

test('an aggregate of nothing is dropped', async () => {
  const run = await runProcessor(kplDeaggregation(), [sealed()])
  expect([run.out, run.dropped]).toEqual([[], [0]])
})

test('fields that nobody knows are passed over, in any order', () => {
  const unknown = [
    varintField(9, 2 ** 40),
    bytesField(10, 'x'),
    Buffer.concat([varint(11 * 8 + 1), Buffer.alloc(8, 0xff)]),
    Buffer.concat([varint(12 * 8 + 5), Buffer.alloc(4, 0xff)]),
  ]
  const record = Buffer.concat([bytesField(3, 'late'), ...unknown, varintField(1, 0)])
  const blob = sealed(...unknown, bytesField(3, record), ...unknown, bytesField(1, 'k'))
  expect(texts(blob)).toEqual(['late'])
})

const KEY = bytesField(1, 'k')
test.each([
  ['no magic', Buffer.concat([Buffer.from('00000000', 'hex'), sealed(KEY).subarray(4)])],
  ['nothing', Buffer.alloc(0)],
  ['only its magic', MAGIC],
  ['a wrong sum', Buffer.concat([MAGIC, KEY, Buffer.alloc(16)])],
  ['a key that is not in the table', sealed(KEY, userRecord('a', 1))],
  ['no table', sealed(userRecord('a'))],
  ['a record without data', sealed(KEY, bytesField(3, varintField(1, 0)))],
  ['a record without key', sealed(KEY, bytesField(3, bytesField(3, 'a')))],
  ['a record that is a number', sealed(KEY, varintField(3, 1))],
  [
    'data that are a number',
    sealed(KEY, bytesField(3, Buffer.concat([varintField(1, 0), varintField(3, 1)]))),
  ],
  [
    'a key index of bytes',
    sealed(KEY, bytesField(3, Buffer.concat([bytesField(1, ''), bytesField(3, 'a')]))),
  ],
  ['a length beyond the end', sealed(KEY, Buffer.from('1aff01', 'hex'))],
  ['an immense length', sealed(KEY, Buffer.from('1affffffffffffffffff01', 'hex'))],
  ['a varint without end', sealed(KEY, Buffer.from('08ff', 'hex'))],
  ['a varint of eleven bytes', sealed(KEY, Buffer.from('08ffffffffffffffffffff01', 'hex'))],
  ['a group', sealed(KEY, Buffer.from('0b', 'hex'))],
  ['field number 0', sealed(KEY, Buffer.from('0000', 'hex'))],
])('a blob with %s is a record of its own', async (_, blob) => {
  const run = await runProcessor(kplDeaggregation(), [blob])
  expect(run.out.map(({ data, part }) => [data, part])).toEqual([[blob, undefined]])
})

test('what is written is read, whatever it is', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (datas) => {
      const records = datas.map((data) => Buffer.from(data))
      const blob = sealed(KEY, ...records.map((data) => userRecord(data)))
      expect(kplRecords(blob)).toEqual(records)
    }),
  )
})

test('no bytes under a right sum throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const records = kplRecords(sealed(KEY, Buffer.from(bytes)))
      expect(records === undefined || Array.isArray(records)).toBe(true)
    }),
    { numRuns: 1_000 },
  )
})
