import { BSON } from 'mongodb'
import { expect, test } from 'vitest'
import { toDocument } from './document.ts'

const parse = (text: string) => toDocument(Buffer.from(text), 0, 'record-id').document

const nested = (depth: number): string => `{"v":${'['.repeat(depth)}${']'.repeat(depth)}}`

/** As a reader of BSON would get it, with its types. */
const canonical = (text: string): unknown =>
  JSON.parse(
    BSON.EJSON.stringify(BSON.deserialize(BSON.serialize(parse(text)), { promoteValues: false }), {
      relaxed: false,
    }),
  )

test.each<[string, string, unknown]>([
  ['a small integer', '1', { $numberInt: '1' }],
  ['a fraction', '0.5', { $numberDouble: '0.5' }],
  ['an integer that doubles hold', '9007199254740991', { $numberDouble: '9007199254740991.0' }],
  ['one that they do not', '9007199254740993', { $numberLong: '9007199254740993' }],
  ['the smallest of 64 bits', '-9223372036854775808', { $numberLong: '-9223372036854775808' }],
  ['one beyond 64 bits', '9223372036854775808', { $numberDouble: '9223372036854775808.0' }],
  ['many digits in a text', '"12345678901234567890"', '12345678901234567890'],
  ['a date', '{"$date":"2026-11-21T12:00:00Z"}', { $date: { $numberLong: '1795262400000' } }],
  ['a long', '{"$numberLong":"5"}', { $numberLong: '5' }],
  ['a decimal', '{"$numberDecimal":"0.10"}', { $numberDecimal: '0.10' }],
  ['an object id', `{"$oid":"${'0a'.repeat(12)}"}`, { $oid: '0a'.repeat(12) }],
])('%s', (_, text, expected) => {
  expect(canonical(`{"v":${text}}`)).toEqual({ _id: 'record-id', v: expected })
})

test('a record may be nested as deep as servers take it', () => {
  expect(() => parse(nested(99))).not.toThrow()
})

test('a document without an _id gets that of the record, which comes first', () => {
  expect(Object.entries(parse('{"b":1,"__proto__":2}'))).toEqual([
    ['_id', 'record-id'],
    ['b', 1],
    ['__proto__', 2],
  ])
})

test('a document keeps an _id of its own, even null', () => {
  expect(toDocument(Buffer.from(' {"b":1,"_id":null}\n'), 7, 'record-id')).toEqual({
    ordinal: 7,
    hasOwnId: true,
    document: { _id: null, b: 1 },
  })
})

test.each<[string, string | Buffer, string]>([
  ['nothing', '', 'is not JSON'],
  ['half an object', '{"a":', 'is not JSON'],
  ['two objects', '{"a":1}\n{"a":2}', 'is not JSON'],
  ['a list', '[{"a":1}]', 'is not a JSON object'],
  ['null', 'null', 'is not a JSON object'],
  ['a date alone', '{"$date":"2026-11-21T12:00:00Z"}', 'is not a JSON object'],
  ['bytes', Buffer.from('{"a":"\xff"}', 'latin1'), 'is not UTF-8'],
  ['a date that is none', '{"a":[{"$date":"hush"}]}', 'has a $date that is none'],
  ['an object id that is none', '{"a":{"$oid":"hush"}}', 'is not JSON that BSON can hold'],
  ['what poses as BSON', '{"a":{"_bsontype":"hush"}}', 'is not JSON that BSON can hold'],
  ['a name with a NUL', String.raw`{"hush\u0000":1}`, 'is not JSON that BSON can hold'],
  ['a list that is too deep', nested(100), 'is nested deeper than 100 levels'],
  ['a list that is deeper still', nested(100_000), 'is nested deeper than 100 levels'],
])('%s is no document, and the message tells nothing of it', (_, record, message) => {
  const attempt = (): unknown => toDocument(Buffer.from(record), 0, 'record-id')
  expect(attempt).toThrow(message)
  expect(attempt).toThrow(/^(?!.*hush)/s)
})
