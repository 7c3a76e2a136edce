import { expect, test } from 'vitest'
import { Latencies } from './latencies.ts'

test('percentiles are right to two parts in a hundred', () => {
  const latencies = new Latencies()
  for (let ms = 1; ms <= 1_000; ms += 1) latencies.add(ms)
  for (const [part, ms] of [
    [0.5, 500],
    [0.99, 990],
    [1, 1_000],
  ] as const) {
    const found = latencies.percentileMs(part) ?? 0
    expect(found / ms).toBeGreaterThanOrEqual(1)
    expect(found / ms).toBeLessThanOrEqual(1.02)
  }
})

test('what is out of range is counted at its ends, and nothing has no percentile', () => {
  const latencies = new Latencies()
  expect(latencies.percentileMs(0.5)).toBeUndefined()
  latencies.add(0)
  expect(latencies.percentileMs(0.5)).toBe(0.1)
  latencies.add(1e12)
  expect(latencies.percentileMs(1)).toBeGreaterThan(600_000)
})
