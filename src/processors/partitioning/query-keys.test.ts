import { expect, test } from 'vitest'
import { queryKeys } from './query-keys.ts'

test.each<[query: string, keys: readonly string[]]>([
  ['{}', []],
  [' { } ', []],
  ['{customer:.customer_id}', ['customer']],
  ['{a:.x,b:.y}', ['a', 'b']],
  ['{ a : .x , "b c" : .y }', ['a', 'b c']],
  ['{a, "b", $c}', ['a', 'b', 'c']],
  ['{a:.x,a:.y}', ['a']],
  ['{year:.at|strftime("%Y"), d:(.a,.b), l:[1,2], o:{x:1,y:2}}', ['year', 'd', 'l', 'o']],
  ['{a:"},b:", c:"\\"", d:"\\(.x + ",\\("\\")},")")", e:"}"}', ['a', 'c', 'd', 'e']],
  ['{a:(if .x then .y,.z else 1 end), b:.if, c:.end, if:.x, end:.y}', ['a', 'b', 'c', 'if', 'end']],
  ['{a:if .x then .y,.z elif .w then 1 else 2 end, b:1}', ['a', 'b']],
  ['{"\\u0061\\/":1}', ['a/']],
  ['{\n  a: .x,\n  b: .y\n}', ['a', 'b']],
  ['{__proto__: .x, constructor: .y}', ['__proto__', 'constructor']],
])('%s', (query, keys) => {
  expect([...(queryKeys(query) ?? ['not told'])]).toEqual(keys)
})

test.each([
  '',
  '.',
  '.a',
  '{',
  '{a:.x',
  '{a:.x}}',
  '{a:.x} | {b:.a}',
  '. as $r | {a:$r.x}',
  '{a:.x,}',
  '{a:.x}[]',
  '{(.k):.v}',
  '{@base64 "a":.v}',
  '{"a\\(.k)":.v}',
  '{1:.v}',
  '{"\\q":1}',
  '{a b}',
  '{a:.x} # , b',
  '{a:.x, # b:.y\n c:.z}',
  '{a:"unclosed}',
  '{a:"\\(unclosed}',
])('cannot be told of %s', (query) => {
  expect(queryKeys(query)).toBeUndefined()
})

test('a program of the greatest length is read at once', () => {
  for (const piece of ['{', '"\\(', 'a:', '"', '\\', ' ', 'if ', '(']) {
    expect(queryKeys(`{a:${piece.repeat(5120 / piece.length)}`)).toBeUndefined()
  }
})
