import { expect, test } from 'vitest'
import { BatchShape } from './sql-shape.ts'
import type { Shape, StructShape } from './sql-shape.ts'

function shapeOf(...records: readonly Readonly<Record<string, unknown>>[]): StructShape {
  const shape = new BatchShape()
  for (const record of records) shape.add(record)
  return shape.columns
}

/** A shape as it is written for DuckDB. */
function told(shape: Shape | undefined): unknown {
  if (shape === undefined || typeof shape === 'string') return shape
  if (shape.kind === 'list') return [told(shape.element)]
  return Object.fromEntries(
    [...shape.fields.values()].map(({ name, shape: field }) => [name, told(field)]),
  )
}

function columnOf(...values: readonly unknown[]): unknown {
  return told(shapeOf(...values.map((a) => ({ a }))).fields.get('a')?.shape)
}

test.each([
  [[null], 'NULL'],
  [[null, true, null], 'BOOLEAN'],
  [['2026-01-01T00:00:00Z'], 'VARCHAR'],
  [[1, -(2 ** 62)], 'BIGINT'],
  [[1, 2 ** 63], 'HUGEINT'],
  [[2 ** 63, 1, 0.5], 'DOUBLE'],
  [[0.5, 1], 'DOUBLE'],
  [[2 ** 127], 'DOUBLE'],
  [[1, '1'], 'JSON'],
  [[1, true], 'JSON'],
  [['a', { b: 1 }, 'a'], 'JSON'],
  [[[1], { b: 1 }], 'JSON'],
  [[{ b: 1 }, [1]], 'JSON'],
  [[[]], ['NULL']],
  [[[1, null], null, [0.5]], ['DOUBLE']],
  [[[[1], ['a']]], [['JSON']]],
  [[{ b: 1 }, {}, { c: [{ d: 'x' }] }], { b: 'BIGINT', c: [{ d: 'VARCHAR' }] }],
])('of %j the type is %j', (values, type) => {
  expect(columnOf(...values)).toEqual(type)
})

test('columns stand in the order they were first seen, under the first of their spellings', () => {
  const columns = shapeOf({ b: 1, A: 2 }, { a: 'other', c: 3, B: 'other' })
  expect(Object.entries(told(columns) as object)).toEqual([
    ['b', 'BIGINT'],
    ['A', 'BIGINT'],
    ['c', 'BIGINT'],
  ])
})

function keys(count: number, prefix = 'k'): Readonly<Record<string, number>> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [prefix + index, index]))
}

test('a record that brings too many columns is not taken, and the next one is', () => {
  const shape = new BatchShape()
  expect(shape.add(keys(999))).toBe(true)
  expect(shape.add({ k1: 0.5, x: 1, y: 2 })).toBe(false)
  expect(shape.add({ ...keys(999, 'K'), x: 1 })).toBe(true)
  expect(shape.columns.fields.size).toBe(1_000)
  expect(shape.columns.fields.get('k1')).toEqual({ name: 'k1', shape: 'BIGINT' })
})

test('objects beyond all bounds are JSON', () => {
  expect(columnOf(keys(1_001))).toBe('JSON')
  expect(told(shapeOf({ a: keys(600), b: keys(600), c: { d: 1 } }))).toMatchObject({
    a: { k599: 'BIGINT' },
    b: 'JSON',
    c: 'JSON',
  })
  let deep: unknown = 1
  for (let depth = 0; depth < 5_000; depth += 1) deep = [deep]
  expect(JSON.stringify(columnOf(deep))).toBe(`${'['.repeat(11)}"JSON"${']'.repeat(11)}`)
})

test('keys that can be no names are no columns, and those of JavaScript are like others', () => {
  expect(told(shapeOf({ 'a\0b': 1, '': 2, c: { '': 3 } }))).toEqual({ c: 'JSON' })
  const columns = shapeOf(JSON.parse('{"__proto__":1,"constructor":2}'))
  expect([...columns.fields.values()].map(({ name }) => name)).toEqual(['__proto__', 'constructor'])
})

test('paths of a query add what is not there, and nothing to what is no object', () => {
  const shape = new BatchShape()
  shape.add({ user: { name: 'a' }, count: 1 })
  const paths = [
    ['USER', 'Nick', 'x'],
    ['user', 'name', 'y'],
    ['count', 'z'],
    ['Gone', 'b'],
  ]
  for (const path of paths) shape.addPath(path)
  expect(told(shape.columns)).toEqual({
    user: { name: 'VARCHAR', Nick: 'NULL' },
    count: 'BIGINT',
    Gone: 'NULL',
  })
})
