import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ApiError } from '../exceptions.ts'
import { readEndpointRequest } from './firehose-endpoint-request.ts'

interface Read {
  readonly requestId: string
  readonly texts: readonly string[]
  readonly lengths: readonly number[]
}

function read(body: string | Buffer): Read {
  const request = readEndpointRequest(Buffer.from(body))
  const indexes = Array.from({ length: request.recordCount }, (_, index) => index)
  return {
    requestId: request.requestId,
    texts: indexes.map((index) => request.text(index)),
    lengths: indexes.map((index) => request.textLength(index)),
  }
}

function refusal(body: string | Buffer): string {
  try {
    read(body)
  } catch (error) {
    if (error instanceof ApiError) return `${error.statusCode} ${error.message}`
    throw error
  }
  return 'none'
}

const of = (requestId: string, ...texts: readonly string[]): Read => ({
  requestId,
  texts,
  lengths: texts.map(({ length }) => length),
})

test.each([
  [
    'as Firehose sends it',
    '{"requestId":"r","timestamp":1,"records":[{"data":"QQ=="},{"data":""}]}',
  ],
  [
    'with white space',
    ' { "records" : [\n { "data" : "QQ==" } , {\t"data":"" }\r\n] , "requestId" : "r" } ',
  ],
  [
    'with members that nobody knows',
    '{"more":{"a":[1]},"requestId":"r","records":[{"data":"QQ=="},{"data":""}],"x":[]}',
  ],
  [
    'with members in its records',
    '{"requestId":"r","records":[{"data":"QQ==","a":1},{"b":{},"data":""}]}',
  ],
  [
    'with escapes',
    String.raw`{"requestId":"\u0072","rec\u006frds":[{"data":"QQ\u003d="},{"data":""}]}`,
  ],
  [
    'with escapes in its data',
    String.raw`{"requestId":"r","records":[{"data":"QQ\u003d="},{"data":""}]}`,
  ],
  [
    'with a text that looks like it',
    String.raw`{"x":"\"records\":[","y":"records","requestId":"r","records":[{"data":"QQ=="},{"data":""}]}`,
  ],
  [
    'where another has such a member, too',
    '{"x":{"records":[{"data":"Qg=="}]},"requestId":"r","records":[{"data":"QQ=="},{"data":""}]}',
  ],
  [
    'where the last of two counts',
    '{"requestId":"q","records":[{"data":"Qg=="}],"requestId":"r","records":[{"data":"QQ=="},{"data":""}]}',
  ],
])('a body is read %s', (_, body) => {
  expect(read(body)).toEqual(of('r', 'QQ==', ''))
})

test('a body without records is read', () => {
  expect(read('{"requestId":"r","records":[ ]}')).toEqual(of('r'))
})

test.each([
  ['', '400 Cannot read the body: records must be a list'],
  ['{', '400 Cannot read the body: not JSON'],
  ['{"requestId":"r","records":[{"data":"QQ=="}]', '400 Cannot read the body: not JSON'],
  ['{"requestId":"r","records":[{"data":"QQ=="},]}', '400 Cannot read the body: not JSON'],
  ['[]', '400 Cannot read the body: not a JSON object'],
  ['{"requestId":"r"}', '400 Cannot read the body: records must be a list'],
  ['{"requestId":"r","records":{}}', '400 Cannot read the body: records must be a list'],
  ['{"requestId":"r","records":[{}]}', '400 Cannot read the body: record 1 has no data'],
  [
    '{"requestId":"r","records":[{"data":""},"x"]}',
    '400 Cannot read the body: record 2 has no data',
  ],
  ['{"requestId":"r","records":[{"data":1}]}', '400 Cannot read the body: record 1 has no data'],
])('what is not a request is refused: %s', (body, answer) => {
  expect(refusal(body)).toBe(answer)
})

test.each(['', 'a b', 'ä', 'x'.repeat(129)])(
  'a request id of other characters is refused: %s',
  (requestId) => {
    const records = [{ data: '' }]
    expect(refusal(JSON.stringify({ requestId, records }))).toMatch(
      /^400 .*requestId must be 1 to 128/,
    )
    expect(refusal(JSON.stringify({ records }))).toMatch(/^400 .*requestId must be 1 to 128/)
  },
)

test('10,000 records are taken, and no more, in whatever form', () => {
  const records = (count: number, record: object) => Array<object>(count).fill(record)
  for (const record of [{ data: '' }, { data: '', a: 1 }]) {
    const body = (count: number) =>
      JSON.stringify({ requestId: 'r', records: records(count, record) })
    expect(read(body(10_000)).texts).toHaveLength(10_000)
    expect(refusal(body(10_001))).toBe('413 Cannot take more than 10000 records at once')
  }
})

test('a body is read as JSON would have it, whatever it is', () => {
  const data = fc.oneof(fc.base64String(), fc.string())
  const record = fc.oneof(
    { weight: 9, arbitrary: fc.record({ data }) },
    fc.record({ data, more: fc.jsonValue() }),
  )
  const body = fc.record(
    {
      requestId: fc.stringMatching(/^[!-~]{1,20}$/),
      timestamp: fc.jsonValue(),
      records: fc.array(record),
      more: fc.jsonValue(),
    },
    { requiredKeys: ['requestId', 'records'] },
  )
  const space = fc.constantFrom(undefined, 1, '\t')
  fc.assert(
    fc.property(body, space, (given, indent) => {
      const texts = given.records.map(({ data: text }) => text)
      const found = read(JSON.stringify(given, null, indent))
      // What is no ASCII is no base64 either, and may look otherwise.
      const ascii = (text: string): string => text.replaceAll(/[^\0-\x7f]+/g, '?')
      expect([found.requestId, found.texts.map(ascii)]).toEqual([given.requestId, texts.map(ascii)])
    }),
  )
})

test('a body that was damaged is refused, or read as JSON would have it', () => {
  const whole =
    '{"requestId":"r","timestamp":1,"records":[{"data":"QQ=="},{"data":"Qg=="}],"x":"y"}'
  const place = fc.nat(whole.length)
  // What is in the texts of records is looked at later, where they are decoded.
  const damage = fc.constantFrom(...'{}[]":, n'.split(''), String.raw`\"`, String.raw`\/`, '')
  fc.assert(
    fc.property(place, fc.nat(3), damage, (at, removed, inserted) => {
      const body = whole.slice(0, at) + inserted + whole.slice(at + removed)
      if (refusal(body) !== 'none') return
      const value = JSON.parse(body) as { requestId: string; records: { data: string }[] }
      expect(read(body)).toEqual(of(value.requestId, ...value.records.map(({ data }) => data)))
    }),
    { numRuns: 2_000 },
  )
})
