import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ConfigurationError } from '../destination.ts'
import type { DateFormat } from './date-pattern.ts'
import { compileDatePattern } from './date-pattern.ts'
import goldens from './date-pattern.goldens.json' with { type: 'json' }

const { moments, formatted, refused } = goldens

test.each(Object.entries(formatted))('%j prints what Java prints', (pattern, expected) => {
  const printed = moments.map(([zone = '', instant = '']) =>
    compileDatePattern(pattern, zone)(Date.parse(instant)),
  )
  expect(printed).toEqual(expected)
})

test.each(refused)('%j is refused, as by Java', (pattern) => {
  expect(() => compileDatePattern(pattern, 'UTC')).toThrow(
    new ConfigurationError(`Invalid timestamp pattern '${pattern}'`),
  )
})

test.each(['z', 'zzzz', 'v', 'vvvv', "'x'yyyy z"])(
  '%j, which would print otherwise than Java, is refused',
  (pattern) => {
    expect(() => compileDatePattern(pattern, 'UTC')).toThrow(
      /uses '\w+', which is not supported by this version of Standpipe$/,
    )
  },
)

test('letters within quotes are text, whatever they are', () => {
  expect(compileDatePattern("'zone DD 'yyyy", 'UTC')(0)).toBe('zone DD 1970')
})

test('a pad that is too narrow at some hours is refused at all hours', () => {
  expect(() => compileDatePattern('pH', 'Asia/Tokyo')).toThrow(ConfigurationError)
})

test.each(['Asia/Kolkata', 'Europe/Kyiv', 'US/Eastern'])('zone %j, an alias, is known', (zone) => {
  expect(compileDatePattern('VV', zone)(0)).toBe(zone)
})

test.each(['Nowhere/City', 'utc', 'europe/berlin', '+09:00', 'Europe', '../etc'])(
  'zone %j is refused',
  (zone) => {
    expect(() => compileDatePattern('yyyy', zone)).toThrow(
      new ConfigurationError(`Invalid time zone '${zone}'`),
    )
  },
)

test('fractions of a second print as zeros', () => {
  expect(compileDatePattern('ss.SSSSSS', 'UTC')(1_999)).toBe('01.000000')
})

test('any text in quotes comes out as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
      const pattern = `'${text.replaceAll("'", "''")}'`
      expect(compileDatePattern(pattern, 'UTC')(0)).toBe(text)
    }),
  )
})

test('whatever the pattern, it is refused when it is compiled or formats at any time', () => {
  const pattern = fc
    .array(fc.constantFrom(...PATTERN_CHARACTERS), { maxLength: 12 })
    .map((characters) => characters.join(''))
  const instant = fc.integer({ min: 0, max: Date.UTC(2100, 0) })
  fc.assert(
    fc.property(pattern, instant, (pattern, instantMs) => {
      expect(compiled(pattern)?.(instantMs) ?? 'refused').toBeTypeOf('string')
    }),
  )
})

const PATTERN_CHARACTERS = "GuyDMLdQqYwWEecFagBhKkHmsSAnNVOXxZp[]'/{b".split('')

/** Undefined for a pattern that is refused as it should be. */
function compiled(pattern: string): DateFormat | undefined {
  try {
    return compileDatePattern(pattern, 'America/New_York')
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined
    throw error
  }
}
