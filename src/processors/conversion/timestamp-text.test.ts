import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseAnyTimestamp, parseDate, parseMillis, parseSqlTimestamp } from './timestamp-text.ts'

/** Microseconds of an instant that Date reads. */
function micros(iso: string, more = 0): bigint {
  return BigInt(Date.parse(iso)) * 1000n + BigInt(more)
}

test.each<[string, bigint]>([
  ['2017-02-07T15:13:01Z', micros('2017-02-07T15:13:01Z')],
  ['2017-02-07T15:13:01.39256Z', micros('2017-02-07T15:13:01.392Z', 560)],
  ['2017-02-07T15:13:01.123456789Z', micros('2017-02-07T15:13:01.123Z', 456)],
  ['2017-02-07T15:13:01', micros('2017-02-07T15:13:01Z')],
  ['2017-02-07T15:13:01+01:30', micros('2017-02-07T13:43:01Z')],
  ['2017-02-07T15:13:01-0800', micros('2017-02-07T23:13:01Z')],
  ['2017-02-07 15:13:01.14', micros('2017-02-07T15:13:01.140Z')],
  ['2017-2-7 15:13:01', micros('2017-02-07T15:13:01Z')],
  ['0050-01-01 00:00:00', micros('0050-01-01T00:00:00Z')],
  ['1518033528', 1_518_033_528_000_000n],
  ['1518033528123', 1_518_033_528_123_000n],
  ['1518033528.123', 1_518_033_528_123_000n],
  ['1518033528.123456789', 1_518_033_528_123_456n],
  ['-0.5', -500_000n],
  ['0', 0n],
])('the timestamp %s is read', (text, expected) => {
  expect(parseAnyTimestamp(text)).toBe(expected)
})

test.each([
  '',
  'now',
  '2017-02-30T00:00:00Z',
  '2017-13-01 00:00:00',
  '2017-02-07T24:00:00Z',
  '2017-02-07 00:60:00',
  '2017-02-07 00:00:60',
  '2017-02-07',
  '2017-02-07T15:13Z',
  '2017-02-07 15:13:01.1234567890',
  '9999999999999999',
  '1e9',
])('the timestamp %j is not one', (text) => {
  expect(parseAnyTimestamp(text)).toBeUndefined()
})

test('any instant of four-digit years is read as it is written', () => {
  const range = { min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z') }
  fc.assert(
    fc.property(fc.date({ ...range, noInvalidDate: true }), (date) => {
      const iso = date.toISOString()
      expect(parseAnyTimestamp(iso)).toBe(micros(iso))
      expect(parseSqlTimestamp(iso.replace('T', ' ').replace('Z', ''))).toBe(micros(iso))
      expect(parseDate(iso.slice(0, 10))).toBe(Math.floor(date.getTime() / 86_400_000))
    }),
  )
})

test('only the form of java.sql.Timestamp is its form', () => {
  expect(parseSqlTimestamp('2017-02-07 15:13:01.5')).toBe(micros('2017-02-07T15:13:01.500Z'))
  expect(parseSqlTimestamp('2017-02-07T15:13:01Z')).toBeUndefined()
  expect(parseSqlTimestamp('1518033528')).toBeUndefined()
})

test('milliseconds are whole numbers', () => {
  expect(parseMillis('1518033528')).toBe(1_518_033_528_000n)
  expect(parseMillis('-1')).toBe(-1000n)
  expect(parseMillis('1.5')).toBeUndefined()
  expect(parseMillis('9999999999999999')).toBeUndefined()
})

test('a date is a day of the calendar', () => {
  expect(parseDate('1970-1-2')).toBe(1)
  expect(parseDate('2024-02-29')).toBe(19_782)
  expect(parseDate('2023-02-29')).toBeUndefined()
  expect(parseDate('2024-02-29T00:00:00Z')).toBeUndefined()
})
