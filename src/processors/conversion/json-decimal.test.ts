import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { unscaledDecimal, wholeNumber } from './json-decimal.ts'

test.each<[string, number, number, bigint | undefined]>([
  ['12.34', 4, 2, 1234n],
  ['12.345', 4, 2, 1235n],
  ['-12.345', 4, 2, -1235n],
  ['12.3449999', 4, 2, 1234n],
  ['99.995', 4, 2, undefined],
  ['100', 4, 2, undefined],
  ['00012.5', 3, 1, 125n],
  ['.5', 1, 0, 1n],
  ['0.4', 1, 0, 0n],
  ['1.2e3', 5, 0, 1200n],
  ['1234.5e-2', 6, 3, 12345n],
  ['1e-7', 10, 9, 100n],
  ['5e-1', 1, 0, 1n],
  ['+7', 1, 0, 7n],
  ['0e999999999', 1, 0, 0n],
  ['1e999999999', 38, 0, undefined],
  ['99999999999999999999999999999999999999', 38, 0, 10n ** 38n - 1n],
  ['100000000000000000000000000000000000000', 38, 0, undefined],
  ['0.10000000000000000001', 38, 20, 10_000_000_000_000_000_001n],
  ['', 38, 0, undefined],
  ['-', 38, 0, undefined],
  ['1e', 38, 0, undefined],
  ['0x1', 38, 0, undefined],
])('%s as decimal(%i,%i)', (text, precision, scale, expected) => {
  expect(unscaledDecimal(text, precision, scale)).toBe(expected)
})

test('a decimal that fits is itself, however it is written', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }),
      fc.integer({ min: 0, max: 38 }),
      fc.integer({ min: -60, max: 60 }),
      (unscaled, scale, shift) => {
        expect(unscaledDecimal(`${unscaled}e${-scale}`, 38, scale)).toBe(unscaled)
        const shifted = `${unscaled}${'0'.repeat(Math.max(0, shift))}e${-scale - Math.max(0, shift)}`
        expect(unscaledDecimal(shifted, 38, scale)).toBe(unscaled)
      },
    ),
  )
})

test.each<[string, bigint | undefined]>([
  ['0', 0n],
  ['-12', -12n],
  ['1.0', 1n],
  ['1e3', 1000n],
  ['1.5e1', 15n],
  ['1.5', undefined],
  ['1e-1', undefined],
  ['9223372036854775808', 9_223_372_036_854_775_808n],
  ['12345678901234567890', undefined],
  ['1e400', undefined],
  ['abc', undefined],
])('%s as a whole number', (text, expected) => {
  expect(wholeNumber(text)).toBe(expected)
})
