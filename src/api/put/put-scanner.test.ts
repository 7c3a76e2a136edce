import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { BufferPool } from '../../base/buffer-pool.ts'
import { recordsOf } from '../../chunk.ts'
import { ApiError } from '../exceptions.ts'
import type { PutInput, PutOperationName } from './put-input.ts'
import { parsePut } from './put-parser.ts'
import { scanPut } from './put-scanner.ts'

function scan(operation: PutOperationName, body: Buffer): PutInput | undefined {
  return scanPut(operation, body, new BufferPool())
}

const AS_BOTO3 = '{"DeliveryStreamName": "logs", "Records": [{"Data": "YQ=="}, {"Data": ""}]}'
const AS_JAVASCRIPT = '{"DeliveryStreamName":"logs","Records":[{"Data":"YQ=="},{"Data":""}]}'
const RECORDS_FIRST = '{"Records":[{"Data":"YQ=="},{"Data":""}],"DeliveryStreamName":"logs"}'
const SPREAD =
  ' {\n"DeliveryStreamName" :\t"logs",\r\n"Records" : [ {"Data" : "YQ==" } ,{"Data":""} ] } '

function content(input: PutInput | undefined) {
  if (input === undefined) return undefined
  const { streamName, recordCount, payload } = input
  const records = [...recordsOf({ arrivalMs: 0, recordCount, payload })]
  return { streamName, records: records.map((record) => record.toString('latin1')) }
}

test.for([AS_BOTO3, AS_JAVASCRIPT, RECORDS_FIRST, SPREAD])('reads a batch as sent: %s', (body) => {
  const input = scan('PutRecordBatch', Buffer.from(body))
  expect(content(input)).toEqual({ streamName: 'logs', records: ['a', ''] })
})

test.for([
  '{"DeliveryStreamName":"logs","Record":{"Data":"YWI="}}',
  '{"Record": {"Data": "YWI="}, "DeliveryStreamName": "logs"}',
])('reads a single record as sent: %s', (body) => {
  const input = scan('PutRecord', Buffer.from(body))
  expect(content(input)).toEqual({ streamName: 'logs', records: ['ab'] })
})

function batchOf(recordCount: number): Buffer {
  const records = Array(recordCount).fill('{"Data":"YWJj"}').join()
  return Buffer.from(`{"DeliveryStreamName":"logs","Records":[${records}]}`)
}

test('reads the largest batch, and leaves one record more to the parser', () => {
  expect(content(scan('PutRecordBatch', batchOf(500)))?.records).toEqual(Array(500).fill('abc'))
  expect(scan('PutRecordBatch', batchOf(501))).toBeUndefined()
})

function recordOf(dataBytes: number): Buffer {
  const data = Buffer.alloc(dataBytes, 'a').toString('base64')
  return Buffer.from(`{"DeliveryStreamName":"logs","Record":{"Data":"${data}"}}`)
}

test('reads the longest record, and leaves a longer one to the parser', () => {
  const longest = 'a'.repeat(1_024_000)
  expect(content(scan('PutRecord', recordOf(1_024_000)))?.records).toEqual([longest])
  expect(scan('PutRecord', recordOf(1_024_001))).toBeUndefined()
})

test.for([
  ['an escape', '{"DeliveryStreamName":"logs","Record":{"Data":"YQ\\u003d="}}'],
  ['another member', '{"DeliveryStreamName":"logs","Extra":1,"Record":{"Data":"YQ=="}}'],
  [
    'a duplicate',
    '{"DeliveryStreamName":"logs","Record":{"Data":"YQ=="},"DeliveryStreamName":"b"}',
  ],
  [
    'a missing comma',
    '{"DeliveryStreamName":"lo gs""Record":{"Data":"YQ=="},"DeliveryStreamName":"b"}',
  ],
  ['something after the end', '{"DeliveryStreamName":"logs","Record":{"Data":"YQ=="}}1'],
  ['the URL-safe alphabet', '{"DeliveryStreamName":"logs","Record":{"Data":"__--"}}'],
  ['white space in the data', '{"DeliveryStreamName":"logs","Record":{"Data":"YWJj YWJj"}}'],
  ['no padding', '{"DeliveryStreamName":"logs","Record":{"Data":"YQ"}}'],
  ['padding inside', '{"DeliveryStreamName":"logs","Record":{"Data":"YQ==YQ=="}}'],
  ['nothing but padding', '{"DeliveryStreamName":"logs","Record":{"Data":"===="}}'],
  ['three padding characters', '{"DeliveryStreamName":"logs","Record":{"Data":"Y==="}}'],
  ['a truncated body', '{"DeliveryStreamName":"logs","Record":{"Data":"YQ=='],
])('leaves to the parser a body with %s', ([, body]) => {
  expect(scan('PutRecord', Buffer.from(body!))).toBeUndefined()
})

function parsed(operation: PutOperationName, body: Buffer): PutInput | undefined {
  try {
    return parsePut(operation, body)
  } catch (error) {
    if (error instanceof ApiError) return undefined
    throw error
  }
}

const whiteSpace = fc.stringMatching(/^[ \n\r\t]{0,2}$/)
const base64 = fc.oneof(
  fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  fc.stringMatching(/^[A-Za-z0-9+/=_\-\\"\n é]{0,8}$/),
)

/** Bodies as SDKs send them, with white space anywhere and data that may be bad. */
const bodies = fc
  .tuple(
    fc.constantFrom<PutOperationName>('PutRecord', 'PutRecordBatch'),
    fc.stringMatching(/^[a-z_.-]{1,4}$/),
    fc.array(base64, { maxLength: 4 }),
    fc.boolean(),
    fc.array(whiteSpace, { minLength: 1, maxLength: 5 }),
  )
  .map(([operation, name, data, nameFirst, spaces]) => {
    let used = 0
    const space = () => spaces[used++ % spaces.length]!
    const spaced = (...tokens: string[]) => tokens.map((token) => space() + token).join('')
    const records = data.map((text) => spaced('{', '"Data"', ':', `"${text}"`, '}'))
    const nameMember = spaced('"DeliveryStreamName"', ':', `"${name}"`)
    const recordsMember =
      operation === 'PutRecord'
        ? spaced('"Record"', ':', records[0] ?? 'null')
        : spaced('"Records"', ':', '[', records.join(spaced(',')), ']')
    const members = nameFirst ? [nameMember, recordsMember] : [recordsMember, nameMember]
    return { operation, body: spaced('{', members.join(spaced(',')), '}', '') }
  })

test('accepts nothing that the parser would read otherwise', () => {
  const mutation = fc.record({
    at: fc.nat(),
    removed: fc.nat({ max: 3 }),
    added: fc.constantFrom(
      '',
      '"',
      '\\',
      '=',
      ',',
      '{',
      '}',
      '[',
      ']',
      '-',
      '\u0000',
      'é',
      'A',
      ' ',
    ),
  })
  let acceptedCount = 0
  fc.assert(
    fc.property(bodies, fc.array(mutation, { maxLength: 2 }), ({ operation, body }, mutations) => {
      const mutated = mutations.reduce((text, { at, removed, added }) => {
        const position = at % text.length
        return text.slice(0, position) + added + text.slice(position + removed)
      }, body)
      const bytes = Buffer.from(mutated)
      const scanned = scan(operation, bytes)
      if (scanned === undefined) return
      acceptedCount += 1
      expect(content(scanned)).toEqual(content(parsed(operation, bytes)))
    }),
    { numRuns: 3_000 },
  )
  expect(acceptedCount).toBeGreaterThan(100)
})

test('accepts whatever well-formed data stands in the form of the SDKs', () => {
  const data = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(fc.array(data, { minLength: 1, maxLength: 6 }), (records) => {
      const entries = records.map((record) => ({ Data: record.toString('base64') }))
      const body = Buffer.from(JSON.stringify({ DeliveryStreamName: 'logs', Records: entries }))
      expect(content(scan('PutRecordBatch', body))).toEqual({
        streamName: 'logs',
        records: records.map((record) => record.toString('latin1')),
      })
    }),
  )
})
