import { afterEach, expect, test, vi } from 'vitest'
import { compileDateFormat } from './moment-format.ts'

/** A Sunday that belongs to week 53 of the ISO year before, and to the first week of 2021 in the US. */
const NEW_YEAR = Date.UTC(2021, 0, 3, 0, 5, 7, 89)
const AFTERNOON = Date.UTC(2026, 10, 22, 15, 25, 50, 6)

afterEach(() => {
  vi.unstubAllEnvs()
})

// What moment 2.30.1 writes of these.
test.each([
  [AFTERNOON, 'YYYY-MM-DDTHH:mm:ss.SSS[Z]', '2026-11-22T15:25:50.006Z'],
  [AFTERNOON, 'dddd, MMMM Do YYYY, h:mm:ss a', 'Sunday, November 22nd 2026, 3:25:50 pm'],
  [AFTERNOON, 'ddd, hA', 'Sun, 3PM'],
  [AFTERNOON, 'DD/MMM/YYYY:HH:mm:ss ZZ', '22/Nov/2026:15:25:50 +0000'],
  [AFTERNOON, 'X x', '1795361150 1795361150006'],
  [AFTERNOON, 'M Mo Q Qo D DDD DDDo DDDD', '11 11th 4 4th 22 326 326th 326'],
  [AFTERNOON, 'L LT, LLLL', '11/22/2026 3:25 PM, Sunday, November 22, 2026 3:25 PM'],
  [AFTERNOON, 'YYYYMMDDHHmmssSSS yyyy YY', '20261122152550006 2026 26'],
  [AFTERNOON, 'S SS SSSSSS z zz', '0 00 006000 UTC Coordinated Universal Time'],
  [AFTERNOON, String.raw`[at] \M[ [é] 😀 hmm`, 'at M[ é 😀 325'],
  [NEW_YEAR, 'GGGG-[W]WW-E gggg-ww-e', '2020-W53-7 2021-02-0'],
  [NEW_YEAR, 'D Do DDDD d dd k kk h hh H', '3 3rd 003 0 Su 24 24 12 12 0'],
])('%d as %s', (ms, format, text) => {
  expect(compileDateFormat(format)(ms, true)).toBe(text)
})

test.each([
  [11, '11th'],
  [12, '12th'],
  [13, '13th'],
  [21, '21st'],
  [23, '23rd'],
])('the %dth of a month is written as %s', (day, text) => {
  expect(compileDateFormat('Do')(Date.UTC(2026, 0, day), true)).toBe(text)
})

test.each([
  ['Asia/Kolkata', '2026-11-22T20:55:50+05:30 +0530'],
  ['America/New_York', '2026-11-22T10:25:50-05:00 -0500'],
])('local time is that of the zone %s', (zone, text) => {
  vi.stubEnv('TZ', zone)
  const write = compileDateFormat('YYYY-MM-DDTHH:mm:ssZ ZZ')
  expect(write(AFTERNOON, false)).toBe(text)
  expect(write(AFTERNOON, true)).toBe('2026-11-22T15:25:50+00:00 +0000')
})
