import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/contracts/manual-clock.ts'
import { templateTime } from './time-functions.ts'

const HOUR_MS = 3_600_000

test('a simulated day begins at midnight and runs as fast as it is told', () => {
  const clock = new ManualClock()
  const startMs = clock.nowMs()
  const midnightMs = Date.UTC(2026, 6, 13)
  const time = templateTime(clock, HOUR_MS)
  expect([time.nowMs(), time.simulatedMs()]).toEqual([startMs, midnightMs])
  clock.advance(HOUR_MS / 2)
  expect([time.nowMs(), time.simulatedMs()]).toEqual([
    startMs + HOUR_MS / 2,
    midnightMs + 12 * HOUR_MS,
  ])
  clock.advance(HOUR_MS)
  expect(time.simulatedMs()).toBe(midnightMs + 36 * HOUR_MS)
})

test('without a day of its own simulated time is the time', () => {
  const clock = new ManualClock()
  const time = templateTime(clock)
  clock.advance(1_234)
  expect(time.simulatedMs()).toBe(clock.nowMs())
})
