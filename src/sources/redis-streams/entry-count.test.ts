import { expect, test } from 'vitest'
import { EntryCount } from './entry-count.ts'
import type { StreamFacts } from './entry-count.ts'

/** Ten were ever added, `1-1` to `1-10`; the first so many are gone. */
function ten(goneCount: number): StreamFacts {
  return {
    length: 10 - goneCount,
    addedCount: 10,
    firstId: goneCount < 10 ? `1-${goneCount + 1}` : undefined,
    lastId: '1-10',
  }
}

function passed(count: number): EntryCount {
  const counted = new EntryCount()
  counted.reset(count)
  return counted
}

test('nothing is missed while all that was added is read or there', () => {
  expect(passed(3).compare(ten(3), '1-3')).toBeUndefined()
  expect(passed(10).compare(ten(0), '1-10')).toBeUndefined()
  expect(passed(10).compare(ten(10), '1-10')).toBeUndefined()
})

test('what was trimmed beyond the position is counted, and once', () => {
  const counted = passed(3)
  expect(counted.compare(ten(8), '1-3')).toEqual({ lostCount: 5 })
  expect(counted.compare(ten(8), '1-3')).toBeUndefined()
  expect(counted.passed).toBe(8)
})

test('what went in the middle is found at the end', () => {
  const counted = passed(3)
  const deleted = { ...ten(0), length: 8 }
  expect(counted.compare(deleted, '1-3')).toBeUndefined()
  counted.read(5)
  expect(counted.compare(deleted, '1-10')).toEqual({ lostCount: 2 })
})

test('all that was left may have gone', () => {
  expect(passed(3).compare(ten(10), '1-3')).toEqual({ lostCount: 7 })
})

test('a stream that has fewer than were read is another one', () => {
  expect(passed(20).compare(ten(0), '0-9')).toEqual({ lostCount: undefined })
})

test('without a count to begin with nothing is claimed', () => {
  const counted = new EntryCount()
  counted.read(3)
  expect(counted.compare(ten(8), '1-3')).toBeUndefined()
  expect(counted.passed).toBe(8)
  expect(passed(3).compare({ ...ten(8), addedCount: undefined }, '1-3')).toBeUndefined()
})

test('the lag is what is still to be read, as far as it can be told', () => {
  expect(passed(3).lag(ten(0), '1-3')).toBe(7)
  expect(passed(3).lag(ten(8), '1-3')).toBe(2)
  expect(passed(10).lag(ten(0), '1-10')).toBe(0)
  expect(new EntryCount().lag(ten(0), '1-3')).toBeUndefined()
})
