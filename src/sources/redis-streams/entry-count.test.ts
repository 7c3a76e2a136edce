import { expect, test } from 'vitest'
import { behindLatestMs, EntryCount } from './entry-count.ts'
import type { StreamFacts } from './entry-count.ts'

/** Ten were ever added, `1-1` to `1-10`; the first so many are gone. */
function ten(goneCount: number): StreamFacts {
  return {
    length: 10 - goneCount,
    addedCount: 10,
    firstId: goneCount < 10 ? `1-${goneCount + 1}` : undefined,
    lastId: '1-10',
    deletedId: '0-0',
  }
}

function passed(count: number): EntryCount {
  const counted = new EntryCount()
  counted.reset(count, `1-${count}`)
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
  const deleted = { ...ten(0), length: 8, deletedId: '1-7' }
  expect(counted.compare(deleted, '1-3')).toBeUndefined()
  counted.read(5)
  expect(counted.compare(deleted, '1-10')).toEqual({ lostCount: 2 })
})

test('a count that was too small to begin with claims nothing while the stream is whole', () => {
  const counted = new EntryCount()
  counted.reset(1, '1-5')
  expect(counted.compare(ten(3), '1-6')).toBeUndefined()
  expect(counted.compare(ten(4), '1-10')).toBeUndefined()
  expect(counted.passed).toBe(10)
})

test('what was trimmed is found at the end, also where it was passed over before', () => {
  const counted = passed(3)
  expect(counted.compare(ten(5), '1-7')).toBeUndefined()
  counted.read(5)
  expect(counted.compare(ten(5), '1-10')).toEqual({ lostCount: 2 })
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

test('who has read nothing is as far behind as what is left reaches back', () => {
  const stream = { ...ten(0), firstId: '5000-0', lastId: '7000-0' }
  expect(behindLatestMs(stream, '0-0')).toBe(2_000)
  expect(behindLatestMs(stream, '6500-1')).toBe(500)
  expect(behindLatestMs(stream, '7000-0')).toBe(0)
  expect(behindLatestMs({ ...ten(10), lastId: '7000-0' }, '0-0')).toBe(0)
})
