import { expect, test } from 'vitest'
import { constantRate, dailyCurve, ramp, spikes } from './rate-plan.ts'
import type { RatePlan } from './rate-plan.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** Records a second around an instant. */
function rateAt(plan: RatePlan, elapsedMs: number): number {
  return (plan(elapsedMs + 0.5) - plan(elapsedMs - 0.5)) * 1_000
}

test('a constant rate makes the same number in each second', () => {
  const plan = constantRate(2.5)
  expect([0, 1_000, 2_000, HOUR_MS].map(plan)).toEqual([0, 2.5, 5, 9_000])
})

test('a ramp goes straight up, or down, and stays where it arrives', () => {
  const up = ramp(0, 100, 10_000)
  expect([0, 5_000, 10_000, 11_000].map(up)).toEqual([0, 125, 500, 600])
  expect(rateAt(up, 5_000)).toBeCloseTo(50)
  const down = ramp(100, 20, 10_000)
  expect([10_000, 20_000].map(down)).toEqual([600, 800])
})

test('the spike is the last part of each period', () => {
  const plan = spikes(10, { everyMs: MINUTE_MS, lengthMs: 5_000, factor: 20 })
  expect(rateAt(plan, 54_000)).toBeCloseTo(10)
  expect(rateAt(plan, 56_000)).toBeCloseTo(200)
  expect(rateAt(plan, 61_000)).toBeCloseTo(10)
  expect([55_000, 60_000, 120_000, 177_500].map(plan)).toEqual([550, 1_550, 3_100, 4_150])
})

test('a day is deepest at four in the morning and highest at four in the afternoon', () => {
  const plan = dailyCurve(10, 50, 24 * HOUR_MS)
  expect(plan(0)).toBe(0)
  expect(rateAt(plan, 4 * HOUR_MS)).toBeCloseTo(10)
  expect(rateAt(plan, 10 * HOUR_MS)).toBeCloseTo(30)
  expect(rateAt(plan, 16 * HOUR_MS)).toBeCloseTo(50)
  expect(plan(24 * HOUR_MS)).toBeCloseTo(30 * 86_400)
  expect(plan(48 * HOUR_MS)).toBeCloseTo(60 * 86_400)
})

test('a compressed day has the same rates in less time', () => {
  const plan = dailyCurve(10, 50, 24_000)
  expect(rateAt(plan, 4_000)).toBeCloseTo(10)
  expect(rateAt(plan, 16_000)).toBeCloseTo(50)
  expect(plan(24_000)).toBeCloseTo(30 * 24)
})
