import { expect, test } from 'vitest'
import { systemClock } from '../base/clock.ts'
import { LocalKeyRing } from './local-key-ring.ts'

const OLD = Buffer.alloc(32, 1).toString('base64')
const NEW = Buffer.alloc(32, 2).toString('base64')

const open = (text: string) => LocalKeyRing.fromSetting(text, systemClock)

test('a data key comes back from its wrapped form, and each is another', () => {
  const keyRing = open(OLD)
  const [first, second] = [keyRing.makeDataKey(), keyRing.makeDataKey()]
  expect(keyRing.unwrap(first.wrapped)).toEqual(first.plain)
  expect(first.plain).toHaveLength(32)
  expect(first.plain).not.toEqual(second.plain)
})

test('the first key of a file wraps, and all unwrap', () => {
  const before = open(`2025:${OLD}`).makeDataKey()
  const rotated = open(`# keys\n\n2026:${NEW}\n2025:${OLD}\n`)
  const after = rotated.makeDataKey()
  expect(rotated.unwrap(before.wrapped)).toEqual(before.plain)
  expect(open(`2026:${NEW}`).unwrap(after.wrapped)).toEqual(after.plain)
})

test('a key alone has an id that follows from it, so that two of them are told apart', () => {
  const wrapped = open(OLD).makeDataKey().wrapped
  expect(() => open(NEW).unwrap(wrapped)).toThrow('is not in the key ring')
})

test('a wrapped key that was changed is refused', () => {
  const { wrapped } = open(`a:${OLD}`).makeDataKey()
  expect(() => open(`a:${NEW}`).unwrap(wrapped)).toThrow('was not wrapped by this wrapping key a')
  expect(() => open(`b:${OLD}`).unwrap(wrapped.replace('v1:a:', 'v1:b:'))).toThrow(
    'was not wrapped',
  )
  expect(() => open(OLD).unwrap('v2:a:b')).toThrow('its format is unknown')
  expect(() => open(`a:${OLD}`).unwrap('v1:a:')).toThrow('was not wrapped')
})

test.each([
  ['', 'the wrapping key: the key is not base64'],
  ['not base64!', 'the wrapping key: the key is not base64'],
  ['c2hvcnQ=', 'the wrapping key: a key has 32 bytes, this one 5'],
  [`a:${OLD}\nb:c2hvcnQ=`, 'line 2 of the wrapping keys: a key has 32 bytes, this one 5'],
  [`a:${OLD}\na:${NEW}`, 'line 2 of the wrapping keys: key id a is there twice'],
  [`:${OLD}`, 'line 1 of the wrapping keys: it must be <key id>:<32 bytes in base64>'],
  [`a b:${OLD}`, 'line 1 of the wrapping keys: it must be <key id>:<32 bytes in base64>'],
  ['# a: nothing but a comment', 'the wrapping keys: there is none'],
])('a bad setting is refused without showing it: %j', (text, message) => {
  expect(() => open(text)).toThrow(new Error(`Cannot use ${message}`))
})
