import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SourceRecord } from '../source.ts'
import { cutRecords } from './chunk-cuts.ts'

/** Records of one byte each, at these positions. */
function at(positions: string): SourceRecord[] {
  return positions.split('').map((position) => ({ data: Buffer.alloc(1), position }))
}

function cut(positions: string, recordCountMax: number, bytesMax = 1_000): string[] {
  const cuts = cutRecords(at(positions), { recordCountMax, bytesMax }, () => 1)
  return [...cuts].map((records) => records.map(({ position }) => position).join(''))
}

test('records are cut where a limit is reached', () => {
  expect(cut('', 3)).toEqual([])
  expect(cut('abcdefg', 3)).toEqual(['abc', 'def', 'g'])
  expect(cut('abcdefg', 100, 2)).toEqual(['ab', 'cd', 'ef', 'g'])
  expect(cut('abc', 3, 3)).toEqual(['abc'])
})

test('records with the same position stay together, also beyond the limits', () => {
  expect(cut('abbc', 2)).toEqual(['a', 'bb', 'c'])
  expect(cut('abbbbcd', 2)).toEqual(['a', 'bbbb', 'cd'])
  expect(cut('bbbb', 2)).toEqual(['bbbb'])
  expect(cut('abbbb', 100, 3)).toEqual(['a', 'bbbb'])
})

test('all is there, in order, within the limits, and no position is in two chunks', () => {
  const records = fc.array(
    fc.record({ groupSize: fc.integer({ min: 1, max: 5 }), bytes: fc.integer({ max: 9, min: 0 }) }),
  )
  fc.assert(
    fc.property(records, fc.nat({ max: 8 }), fc.nat({ max: 30 }), (groups, countMax, bytesMax) => {
      const given = groups.flatMap(({ groupSize, bytes }, index) =>
        Array.from({ length: groupSize }, () => ({
          data: Buffer.alloc(bytes),
          position: String(index),
        })),
      )
      const limits = { recordCountMax: countMax, bytesMax }
      const cuts = [...cutRecords(given, limits, ({ data }) => data.byteLength)]
      expect(cuts.flat()).toEqual(given)
      const positions = cuts.map((records) => new Set(records.map(({ position }) => position)))
      const names = positions.flatMap((set) => [...set])
      expect(new Set(names).size).toBe(names.length)
      for (const [index, { size }] of positions.entries()) {
        if (size === 1) continue
        const bytes = (cuts[index] ?? []).reduce((sum, { data }) => sum + data.byteLength, 0)
        expect(cuts[index]?.length).toBeLessThanOrEqual(countMax)
        expect(bytes).toBeLessThanOrEqual(bytesMax)
      }
    }),
  )
})
