import { expect, test } from 'vitest'
import { formatPosition, knownTopicId, parsePosition } from './position.ts'

const ID = '0b0f4b7e-6f0e-4f0e-8f0e-0123456789ab'

test.each([
  ['12', { offset: 12n, topicId: undefined }],
  [`9223372036854775807@${ID}`, { offset: 9_223_372_036_854_775_807n, topicId: ID }],
])('position %s says offset and topic', (text, position) => {
  expect(parsePosition(text)).toEqual(position)
  expect(formatPosition(position.offset, position.topicId)).toBe(text)
})

test('an old cluster’s stand-ins for an id are none', () => {
  expect(knownTopicId(ID)).toBe(ID)
  expect(knownTopicId('clicks')).toBeUndefined()
  expect(knownTopicId('00000000-0000-0000-0000-000000000000')).toBeUndefined()
})
