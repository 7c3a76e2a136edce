import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { safeValue } from './partition-value.ts'

/** Made of what is dangerous, so that what could become the same is met. */
const hostileText = fc
  .array(
    fc.oneof(
      fc.constantFrom('.', '..', '/', '//', '\\', '%', '%2', '%2E', '%2e', '%25', '%2F', '%5C'),
      fc.constantFrom('2', 'E', 'F', '5', 'C', '\0', '\n', '\u007f', '\u0085', '\ufffd', '\uffff'),
      fc.constantFrom('\ud800', '\udc00', '😀', 'é', 'a'),
      fc.string({ unit: 'binary', maxLength: 3 }),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((pieces) => pieces.join(''))
  .filter((text) => text !== '')

test.each([
  ['customer-1', 'customer-1'],
  ['eu/west', 'eu/west'],
  ['100%', '100%'],
  ['100%25', '100%2525'],
  ['a b=c', 'a b=c'],
  ['Ærø 😀', 'Ærø 😀'],
  ['.hidden', '.hidden'],
  ['..', '%2E%2E'],
  ['.', '%2E'],
  ['...', '...'],
  ['../../etc/passwd', '%2E%2E/%2E%2E/etc/passwd'],
  ['a/./b', 'a/%2E/b'],
  ['/etc', '%2Fetc'],
  ['etc/', 'etc%2F'],
  ['a//b', 'a/%2Fb'],
  ['/', '%2F'],
  ['///', '%2F%2F%2F'],
  [String.raw`..\x`, '..%5Cx'],
  ['a\0b\nc\u007f\u0085', 'a%00b%0Ac%7F%C2%85'],
  ['\ud800x\udc00', '%ED%A0%80x%ED%B0%80'],
  ['\uffff', '%EF%BF%BF'],
])('%j is %j in a path', (value, safe) => {
  expect(safeValue(value)).toBe(safe)
})

test('what is empty or too long has no safe form', () => {
  const values = ['', 'x'.repeat(101), 'é'.repeat(51), `${'x/'.repeat(128)}y`, '\n'.repeat(34)]
  expect(values.map(safeValue)).toEqual(values.map(() => undefined))
})

test('a value may have 256 bytes, and 100 in a segment', () => {
  const longest = ['x'.repeat(100), 'x'.repeat(100), 'x'.repeat(54)].join('/')
  expect(safeValue(longest)).toBe(longest)
  expect(safeValue(`${longest}x`)).toBe(undefined)
  expect(safeValue('\n'.repeat(33))).toBe('%0A'.repeat(33))
})

test('a safe value leads nowhere else, whatever stands around it', () => {
  fc.assert(
    fc.property(hostileText, (value) => {
      const safe = safeValue(value)
      fc.pre(safe !== undefined)
      expect(safe.isWellFormed()).toBe(true)
      expect(safe).not.toMatch(/[\p{Cc}\\]/u)
      for (const before of ['', 'x/', 'x/.']) {
        const segments = `${before}${safe}/y`.split('/')
        expect(segments.filter((segment) => ['', '.', '..'].includes(segment))).toEqual([])
      }
    }),
    { numRuns: 2000 },
  )
})

test('what was encoded can be decoded, so that different values stay different', () => {
  fc.assert(
    fc.property(hostileText, (value) => {
      const safe = safeValue(value)
      fc.pre(safe !== undefined)
      expect(decoded(safe)).toEqual(surrogateBytes(value))
    }),
    { numRuns: 2000 },
  )
})

/** The bytes of a safe value, with what was encoded as it was. */
function decoded(safe: string): Buffer {
  const pieces = safe.split(/(%[0-9A-F]{2})/)
  return Buffer.concat(
    pieces.map((piece, index) =>
      index % 2 === 1 ? Buffer.from(piece.slice(1), 'hex') : Buffer.from(piece),
    ),
  )
}

/** UTF-8, extended to halves of surrogate pairs, which makes different bytes of different texts. */
function surrogateBytes(value: string): Buffer {
  return Buffer.concat(
    Array.from(value, (character) => {
      if (character.isWellFormed()) return Buffer.from(character)
      const code = character.charCodeAt(0)
      return Buffer.from([0xed, ((code >> 6) & 0x3f) | 0x80, (code & 0x3f) | 0x80])
    }),
  )
}
