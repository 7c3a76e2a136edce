import { expect, test } from 'vitest'
import type { TransformationRecord } from '../../functions.ts'
import { judge } from './lambda-answer.ts'
import type { Verdict } from './lambda-answer.ts'

const SENT = ['a', 'b', 'c'].map((recordId): TransformationRecord => ({
  recordId,
  approximateArrivalTimestamp: 0,
  data: '',
}))

function judged(records: unknown, sent = SENT): readonly Verdict[] {
  return judge({ value: { records }, sizeBytes: 0 }, { records: sent })
}

/** The error code and the message of an answer that is wrong as a whole. */
function fault(value: unknown, sizeBytes = 0): string {
  try {
    judge({ value, sizeBytes }, { records: SENT })
  } catch (error) {
    return `${(error as { errorCode: string }).errorCode}: ${(error as Error).message}`
  }
  return 'none'
}

function faultOf(...records: readonly unknown[]): string {
  return fault({ records })
}

const OK = { recordId: 'a', result: 'Ok', data: 'QQ==' }
const PASSED = { kind: 'ok', data: Buffer.from('A') }
const MISSING = {
  kind: 'failed',
  errorCode: 'Lambda.MissingRecordId',
  errorMessage: 'The function did not return the record',
}

test('a record is transformed, dropped or failed', () => {
  expect(
    judged([
      OK,
      { recordId: 'b', result: 'Dropped' },
      { recordId: 'c', result: 'ProcessingFailed', data: 'not base64' },
    ]),
  ).toEqual([
    PASSED,
    { kind: 'dropped' },
    {
      kind: 'failed',
      errorCode: 'Lambda.ProcessingFailedStatus',
      errorMessage: 'ProcessingFailed status set for record',
    },
  ])
})

test('data of what was read from Kafka comes back under either name, and the one changed counts', () => {
  const sent = { recordId: 'a', approximateArrivalTimestamp: 0, data: 'QQ==' }
  const judgedOne = (members: object, sourceMSKArn?: string): Verdict | undefined => {
    const value = { records: [{ recordId: 'a', result: 'Ok', ...members }] }
    const event = { records: [sent], ...(sourceMSKArn !== undefined && { sourceMSKArn }) }
    return judge({ value, sizeBytes: 0 }, event)[0]
  }
  const given = (members: object): string => {
    const verdict = judgedOne(members, 'arn')
    return verdict?.kind === 'ok' ? verdict.data.toString() : 'not ok'
  }
  expect(given({ data: 'Qg==' })).toBe('B')
  expect(given({ kafkaRecordValue: 'Qg==' })).toBe('B')
  expect(given({ data: null, kafkaRecordValue: 'Qg==' })).toBe('B')
  expect(given({ data: 'Qg==', kafkaRecordValue: null })).toBe('B')
  expect(given({ data: 'Qg==', kafkaRecordValue: 'QQ==' })).toBe('B')
  expect(given({ data: 'QQ==', kafkaRecordValue: 'Qg==' })).toBe('B')
  expect(given({ data: 'Qw==', kafkaRecordValue: 'Qg==' })).toBe('B')
  expect(given({ data: 'QQ==', kafkaRecordValue: 'QQ==' })).toBe('A')
  // Of other streams' records that name says nothing.
  expect(judgedOne({ data: 'QQ==', kafkaRecordValue: 'Qg==' })).toEqual(PASSED)
})

test('records may come back in any order', () => {
  const data = (text: string): string => Buffer.from(text).toString('base64')
  const returned = ['c', 'a', 'b'].map((id) => ({ ...OK, recordId: id, data: data(id) }))
  expect(judged(returned)).toEqual(
    ['a', 'b', 'c'].map((id) => ({ kind: 'ok', data: Buffer.from(id) })),
  )
})

test('only the records that did not come back fail as missing', () => {
  expect(judged([{ ...OK, recordId: 'b' }])).toEqual([MISSING, PASSED, MISSING])
  expect(judged([])).toEqual([MISSING, MISSING, MISSING])
})

test('a record that comes back under another id, or none, is missing', () => {
  const others = [{ ...OK, recordId: 'x' }, { result: 'Ok' }]
  expect(judged([OK, ...others])).toEqual([PASSED, MISSING, MISSING])
  expect(judged([{ ...OK, recordId: 7 }, OK, null].slice(0, 2))).toEqual([PASSED, MISSING, MISSING])
})

test('partition keys are taken as they are, whatever their names', () => {
  const metadata = JSON.parse(
    '{"partitionKeys": {"__proto__": "p", "constructor": "c", "year": "2026"}, "otfMetadata": 1}',
  ) as unknown
  expect(judged([{ ...OK, metadata }], SENT.slice(0, 1))).toEqual([
    {
      ...PASSED,
      partitionKeys: new Map([
        ['__proto__', 'p'],
        ['constructor', 'c'],
        ['year', '2026'],
      ]),
    },
  ])
})

test('metadata and partition keys may be absent, null or empty', () => {
  const verdictOn = (metadata: unknown): unknown =>
    judged([{ ...OK, metadata }], SENT.slice(0, 1))[0]
  expect(verdictOn(undefined)).toEqual(PASSED)
  expect(verdictOn(null)).toEqual(PASSED)
  expect(verdictOn({})).toEqual(PASSED)
  expect(verdictOn({ partitionKeys: null })).toEqual(PASSED)
  expect(verdictOn({ partitionKeys: {} })).toEqual({ ...PASSED, partitionKeys: new Map() })
})

test.each([undefined, null, 'junk', 7, [], {}, { records: null }, { records: { a: OK } }])(
  'an answer without a list of records is the fault of the function: %j',
  (value) => {
    expect(fault(value)).toBe('Lambda.FunctionError: The function did not return a list of records')
  },
)

test('an answer may be 6 MB and not a byte more', () => {
  const value = { records: [] }
  expect(fault(value, 6_291_456)).toBe('none')
  expect(fault(value, 6_291_457)).toBe(
    'Lambda.FunctionError: The function returned 6291457 bytes, more than 6291456',
  )
})

test.each(['ok', '', null, undefined, 1, { Ok: true }])(
  'there is no result %j',
  (result: unknown) => {
    expect(faultOf({ ...OK, result })).toBe(
      'Lambda.FunctionError: The result returned for the record a is none of Ok, Dropped and ProcessingFailed',
    )
  },
)

test.each([
  [undefined],
  [null],
  [7],
  ['Q'],
  ['QQ'],
  ['QQ='],
  ['===='],
  ['A==='],
  ['=QQQ'],
  ['QQ==QQ=='],
  ['QUJD\n'],
  ['QU JD'],
  ['QUJDRA ='],
  ['QUJ-'],
  ['QUJ_'],
  ['QUJ\u00c1'],
  ['QUJ\u0141'],
  ['\u{1f600}QQ=='],
  [`${'QUJD'.repeat(1000)}Q!==`],
])('%j is not the data of a record', (data: unknown) => {
  expect(faultOf({ ...OK, data })).toBe(
    'Lambda.FunctionError: The data returned for the record a is not base64',
  )
})

test('a record may become empty', () => {
  expect(judged([{ ...OK, data: '' }], SENT.slice(0, 1))).toEqual([
    { kind: 'ok', data: Buffer.alloc(0) },
  ])
})

test('a record that came back twice fails them all', () => {
  const message = 'Lambda.DuplicatedRecordId: The function returned the record a more than once'
  expect(faultOf(OK, OK)).toBe(message)
  expect(faultOf(OK, { recordId: 'b', result: 'Dropped' }, { ...OK, result: 'Dropped' })).toBe(
    message,
  )
})

test('more records than were sent fail them all', () => {
  const returned = ['a', 'b', 'c', 'd'].map((recordId) => ({ ...OK, recordId }))
  expect(faultOf(...returned)).toBe(
    'Lambda.JsonProcessingException: The function returned 4 records for 3',
  )
})

test.each([
  [null, 'A record that the function returned is no object'],
  ['a', 'A record that the function returned is no object'],
  [[OK], 'A record that the function returned is no object'],
  [{ ...OK, metadata: 'x' }, 'The metadata of a returned record is no object'],
  [
    { ...OK, metadata: { partitionKeys: ['x'] } },
    'The partitionKeys of a returned record are no object',
  ],
  [
    { ...OK, metadata: { partitionKeys: { year: 2026 } } },
    'The partition key year of a returned record is not a string',
  ],
])('a record of another form fails them all: %j', (record, message) => {
  expect(faultOf(record)).toBe(`Lambda.JsonProcessingException: ${message}`)
})
