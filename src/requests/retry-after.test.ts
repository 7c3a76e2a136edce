import { expect, test } from 'vitest'
import { retryAfterMs } from './retry-after.ts'

const NOW_MS = Date.UTC(2026, 6, 13, 14, 15, 16)

test.each([
  ['0', 0],
  ['120', 120_000],
  ['Mon, 13 Jul 2026 14:15:26 GMT', 10_000],
  ['Mon, 13 Jul 2026 14:15:06 GMT', 0],
  ['soon', undefined],
  ['', undefined],
  [undefined, undefined],
])('Retry-After: %s', (text, expected) => {
  expect(retryAfterMs({ 'retry-after': text }, NOW_MS)).toBe(expected)
})
