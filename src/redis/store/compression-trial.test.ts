import { expect, test } from 'vitest'
import { CompressionTrial } from './compression-trial.ts'

/** How many of `count` chunks are tried. */
function tried(trial: CompressionTrial, count: number, ratio: number): number {
  let attempts = 0
  for (let index = 0; index < count; index += 1) {
    if (!trial.isWorth(10_000)) continue
    attempts += 1
    trial.paid(10_000, 10_000 * ratio)
  }
  return attempts
}

test('what is small is not compressed', () => {
  const trial = new CompressionTrial()
  expect([trial.isWorth(1023), trial.isWorth(1024)]).toEqual([false, true])
})

test('it has paid when at most 85 % are left', () => {
  const trial = new CompressionTrial()
  expect([trial.paid(1000, 850), trial.paid(1000, 851)]).toEqual([true, false])
})

test('data that does not pay is tried less and less, and never not at all', () => {
  const trial = new CompressionTrial()
  expect(tried(trial, 1_000, 1)).toBe(20)
  expect(tried(trial, 640, 1)).toBe(10)
})

test('data that pays again is tried every time again', () => {
  const trial = new CompressionTrial()
  tried(trial, 1_000, 1)
  expect(tried(trial, 1_000, 0.5)).toBeGreaterThan(900)
  expect(tried(trial, 1_000, 0.5)).toBe(1_000)
})
