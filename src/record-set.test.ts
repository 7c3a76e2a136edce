import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { RecordSet } from './record-set.ts'

const RECORDS_MAX = 70

const range = fc
  .tuple(fc.nat(RECORDS_MAX), fc.nat(RECORDS_MAX))
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
const change = fc.record({
  add: fc.boolean(),
  ordinal: fc.nat(RECORDS_MAX - 1),
})

test('it is a set of numbers, whatever is added and deleted, and survives as text', () => {
  fc.assert(
    fc.property(range, fc.array(change), ([from, to], changes) => {
      const set = RecordSet.range(from, to)
      const model = new Set(Array.from({ length: to - from }, (_, index) => from + index))
      for (const { add, ordinal } of changes) {
        if (ordinal < from || ordinal >= to) continue
        if (add) set.add(ordinal)
        else set.delete(ordinal)
        if (add) model.add(ordinal)
        else model.delete(ordinal)
      }
      for (const each of [set, RecordSet.parse(set.toString())]) {
        expect([...each]).toEqual([...model].toSorted((a, b) => a - b))
        expect(each.size).toBe(model.size)
        for (let ordinal = 0; ordinal < RECORDS_MAX; ordinal += 1)
          expect(each.has(ordinal)).toBe(model.has(ordinal))
      }
    }),
  )
})

test('records can be deleted as an iteration comes to them', () => {
  const set = RecordSet.range(0, 20)
  const seen: number[] = []
  for (const ordinal of set) {
    seen.push(ordinal)
    set.delete(ordinal)
  }
  expect(seen).toEqual(Array.from({ length: 20 }, (_, ordinal) => ordinal))
  expect(set.size).toBe(0)
})

test('cleared, it is empty', () => {
  const set = RecordSet.range(3, 20)
  set.clear()
  expect([set.size, [...set]]).toEqual([0, []])
})

test('its text has the lowest ordinal in the lowest bit', () => {
  const set = RecordSet.empty(16)
  set.add(0)
  set.add(9)
  expect(set.toString()).toBe(Buffer.from([0b0000_0001, 0b0000_0010]).toString('base64'))
})

test('a record of another batch is refused', () => {
  expect(() => RecordSet.empty(8).add(8)).toThrow('a record of this set')
})
