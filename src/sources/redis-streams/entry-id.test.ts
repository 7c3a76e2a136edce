import { expect, test } from 'vitest'
import { compareIds, earlierId, idBefore, idMs, laterId } from './entry-id.ts'

test('ids are compared as numbers of 64 bits, first by time', () => {
  const ordered = ['0-0', '0-1', '9-0', '10-0', '10-9', '10-10', '18446744073709551614-1']
  const shuffled = ordered.toReversed()
  expect(shuffled.toSorted(compareIds)).toEqual(ordered)
  expect(compareIds('5-18446744073709551614', '5-18446744073709551615')).toBeLessThan(0)
  expect(compareIds('7-7', '7-7')).toBe(0)
  expect(laterId('9-0', '10-0')).toBe('10-0')
  expect(earlierId('9-0', '10-0')).toBe('9-0')
})

test('all entries of a millisecond are after the id before it', () => {
  const before = idBefore(1_700_000_000_000)
  expect(compareIds(before, '1700000000000-0')).toBeLessThan(0)
  expect(compareIds('1699999999999-99999', before)).toBeLessThan(0)
  expect(idBefore(0)).toBe('0-0')
  expect(idMs('1700000000000-3')).toBe(1_700_000_000_000)
})
