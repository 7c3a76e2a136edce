import { expect, test } from 'vitest'
import { ApiError } from '../exceptions.ts'
import { RECORD_COUNT_MAX, splitRecords } from './record-splitting.ts'

function split(contentType: string | undefined, body: string): readonly string[] {
  return splitRecords(contentType, Buffer.from(body)).map((record) => record.toString())
}

function refusal(contentType: string, body: string | Buffer): string {
  try {
    splitRecords(contentType, Buffer.from(body))
  } catch (error) {
    if (error instanceof ApiError) return `${error.type}: ${error.message}`
    throw error
  }
  return 'accepted'
}

test('plain text: each line is a record, empty ones too, byte for byte', () => {
  const records = ['one', ' two\r', '', 'tree']
  expect(split('text/plain', 'one\n two\r\n\ntree')).toEqual(records)
  expect(split('text/plain', 'one\n two\r\n\ntree\n')).toEqual(records)
  expect(split(undefined, 'one\n two\r\n\ntree')).toEqual(records)
  expect(split('text/plain', '')).toEqual([])
})

test.for(['application/x-ndjson', 'Application/X-NDJSON; charset=utf-8', 'application/jsonl'])(
  '%s: each line that is not blank is a record, byte for byte',
  (contentType) => {
    expect(split(contentType, '{"a": 1}\n\n \r\n{"b":2}\n')).toEqual(['{"a": 1}', '{"b":2}'])
  },
)

test('JSON: each element of the array is a record, as it is written', () => {
  const body = ' [ {"a" : [1,2] , "b":"],\\"[" } , "x,\\\\",null\n,[],1e2 ] \n'
  expect(split('application/json', body)).toEqual([
    '{"a" : [1,2] , "b":"],\\"[" }',
    '"x,\\\\"',
    'null',
    '[]',
    '1e2',
  ])
  expect(split('application/json', '[]')).toEqual([])
})

test.for(['', '{"a":1}', '[', '1', 'null', '[1', '1]'])('JSON: %j is not an array', (body) => {
  expect(refusal('application/json', body)).toBe(
    'SerializationException: Cannot read the body: not a JSON array',
  )
})

test.for(['[1,]', '[,1]', '[1 2]', '[1],[2]', '[{"a":1]', '["]', '[\u0001]', '[undefined]'])(
  'JSON: %j has an element that is not JSON',
  (body) => {
    expect(refusal('application/json', body)).toMatch(/^SerializationException: .*is not JSON$/)
  },
)

test('JSON: bytes that are not UTF-8 are refused', () => {
  const body = Buffer.from('["\u00e9"]', 'latin1')
  expect(refusal('application/json', body)).toMatch(/^SerializationException/)
})

test('a record that is too long is refused by its place', () => {
  const longest = 'a'.repeat(1_024_000)
  expect(split('text/plain', `x\n${longest}`)).toEqual(['x', longest])
  expect(refusal('text/plain', `x\n${longest}a\n`)).toBe(
    "ValidationException: 1 validation error detected: Value at 'records.2.member.data' failed " +
      'to satisfy constraint: Member must have length less than or equal to 1024000',
  )
})

test('too many records are refused', () => {
  expect(split('text/plain', '\n'.repeat(RECORD_COUNT_MAX))).toHaveLength(RECORD_COUNT_MAX)
  expect(refusal('text/plain', '\n'.repeat(RECORD_COUNT_MAX + 1))).toMatch(
    /^RequestEntityTooLargeException/,
  )
})
