import * as fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import type { Json } from '../../base/json.ts'
import { silentLogger } from '../../base/logger.ts'
import { JqEngine } from './jq-engine.ts'
import { compilePaths } from './jq-paths.ts'

const jq = new JqEngine({ clock: systemClock, logger: silentLogger })
afterAll(() => jq.close())

const INPUT: Json = { x: 1, 'd-e': 'dash', y: { z: [true, { 'q r': 'deep' }] }, __proto__x: null }

test.each([
  ['{a:.x}', { a: 1 }],
  [' { a : .x ,\n"b c" : .y.z[0] } ', { a: 1, 'b c': true }],
  ['{a:."d-e",b:.["d-e"]}', { a: 'dash', b: 'dash' }],
  ['{a:.y["z"][1]."q r"}', { a: 'deep' }],
  [
    '{a:.y.z[-1]["q r"], b:.y.z[7], c:.y.z[-7], d:.no.where[3]}',
    { a: 'deep', b: null, c: null, d: null },
  ],
  ['{a:.toString,b:.constructor.name,c:.__proto__}', { a: null, b: null, c: null }],
  ['{a:.}', { a: INPUT }],
  ['{a:.x,a:.y.z[0]}', { a: true }],
  ['{"a,b:.x}":.x}', { 'a,b:.x}': 1 }],
])('%s picks', (query, value) => {
  expect(compilePaths(query)?.(INPUT)).toEqual({ value })
})

test('a member may have any name', () => {
  const picked = compilePaths('{__proto__:.y}')?.(INPUT)
  expect(picked).toEqual({ value: Object.fromEntries([['__proto__', INPUT.y]]) })
})

test.each([
  ['.x'],
  ['{}'],
  ['{a}'],
  ['{a:.x,}'],
  ['{a:.x?}'],
  ['{a:.x|tostring}'],
  ['{a:(.x)}'],
  ['{a:.x} | .'],
  ['{a:.x}, {a:.y}'],
  ['{a:..}'],
  ['{a:.x.}'],
  ['{a:.[]}'],
  ['{a:.x[]}'],
  ['{a:.x[1:2]}'],
  ['{a:.x[.y]}'],
  ['{a:.[1.5]}'],
  ['{a:[0]}'],
  ['{a:1}'],
  ['{a:"x"}'],
  ['{(.x):.y}'],
  ['{$a:.x}'],
  [String.raw`{"\(.x)":.y}`],
  [String.raw`{a:."\u0061"}`],
  ['{a:.x # comment\n}'],
  ['{"a:.x}'],
  ['{a:\u00a0.x}'],
])('%s is left to jq', (query) => {
  expect(compilePaths(query)).toBe(undefined)
})

test('the results are those of jq, for any JSON', async () => {
  const name = fc.constantFrom('a', 'b', 'and', '_x1', 'd-e', '0', '', 'constructor', '__proto__')
  const isName = (text: string): boolean => /^[A-Za-z_]/.test(text) && !text.includes('-')
  const dotted = name.map((text) => (isName(text) ? `.${text}` : `."${text}"`))
  const bracketed = fc.oneof(
    name.map((text) => `["${text}"]`),
    fc.integer({ min: -3, max: 3 }).map((index) => `[${index}]`),
  )
  const path = fc
    .array(fc.oneof(dotted, bracketed), { maxLength: 4 })
    .map((steps) => (steps[0]?.startsWith('.') === true ? '' : '.') + steps.join(''))
  const query = fc
    .array(fc.tuple(fc.constantFrom('k', 'l', '"m n"'), path), { minLength: 1, maxLength: 3 })
    .map((members) => `{${members.map(([key, value]) => `${key}: ${value}`).join(', ')}}`)
  const { json } = fc.letrec<{ json: Json }>((tie) => ({
    json: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.oneof(
        fc.constantFrom(null, true, false, 0, 1.5, 1e17, 12345678901234567000, 1e-7),
        fc.constantFrom('', 'a', '\u0000', '\n', '\ud800', 'x\udc00y', '😀'),
      ),
      fc.array(tie('json'), { maxLength: 3 }),
      fc.dictionary(name, tie('json'), { maxKeys: 4, noNullPrototype: false }),
    ),
  }))
  await fc.assert(
    fc.asyncProperty(
      query,
      fc.array(json, { minLength: 1, maxLength: 20 }),
      async (text, inputs) => {
        const records = inputs.map((input) => JSON.stringify(input))
        const paths = compilePaths(text)
        const picked = records.map((record) => paths?.(JSON.parse(record) as Json))
        const expected = await jq.run(
          text,
          records.map((record) => Buffer.from(record)),
        )
        expect(picked.map(wellFormed)).toEqual(expected)
      },
    ),
    { numRuns: 300 },
  )
})

/** Values that are no texts themselves are not looked into, for they are no partition keys. */
function wellFormed(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_, text: unknown) =>
    typeof text === 'string' ? text.toWellFormed() : text,
  )
}
