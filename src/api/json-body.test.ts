import { expect, test } from 'vitest'
import type { ApiError } from './exceptions.ts'
import { parseJsonBody } from './json-body.ts'

function parse(text: string): unknown {
  return parseJsonBody(Buffer.from(text))
}

test('reads an object; nothing at all is an empty one', () => {
  expect(parse('{"Limit": 5, "Limit": 6}')).toEqual({ Limit: 6 })
  expect(parse('')).toEqual({})
})

test.each([
  ['not JSON', Buffer.from('{"a":')],
  ['a list', Buffer.from('[]')],
  ['a number', Buffer.from('1')],
  ['two values', Buffer.from('{}{}')],
  ['not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ['nested a million deep', Buffer.from(`{"a":${'['.repeat(1_000_000)}`)],
  ['nested 65 deep', Buffer.from(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`)],
])('refuses a body that is %s', (_, body) => {
  expect(() => parseJsonBody(body)).toThrow(
    expect.objectContaining<Partial<ApiError>>({ type: 'SerializationException' }),
  )
})

test('brackets within strings are no depth', () => {
  const text = `\\"${'['.repeat(100)}`
  expect(parse(`{"a":"${text}"}`)).toEqual({ a: `"${'['.repeat(100)}` })
})

test('64 levels are enough', () => {
  expect(() => parse(`${'{"a":'.repeat(64)}1${'}'.repeat(64)}`)).not.toThrow()
})
