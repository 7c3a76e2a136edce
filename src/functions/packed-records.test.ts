import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TransformationEvent } from '../functions.ts'
import {
  answersPacked,
  packAnswer,
  packEvent,
  unpackAnswer,
  unpackEvent,
} from './packed-records.ts'

const AROUND = { invocationId: 'i', deliveryStreamArn: 'arn', region: 'us-east-1' }

function eventOf(datas: readonly Uint8Array[], atHand: boolean): TransformationEvent {
  const records = datas.map((data, index) => {
    const bytes = Buffer.from(data)
    return {
      recordId: `r${index}`,
      approximateArrivalTimestamp: index,
      data: bytes.toString('base64'),
      ...(atHand && { bytes }),
    }
  })
  return { ...AROUND, records }
}

/** What becomes of an answer: packed and unpacked, and with the data as text that was decoded. */
function throughPacking(answer: unknown): Passed {
  const packed = packAnswer(answer)
  const value = unpackAnswer(packed) as Answer
  const { value: given } = throughJson(answer) as { value: Answer }
  for (const [index, record] of Array.isArray(value?.records) ? value.records.entries() : []) {
    if (!Buffer.isBuffer(record?.data)) continue
    const data = given?.records?.[index]?.data
    // Two texts may stand for the same bytes.
    if (record.data.equals(Buffer.from(String(data), 'base64'))) record.data = data
  }
  return { value, sizeBytes: packed.sizeBytes }
}

function throughJson(answer: unknown): Passed {
  const text = JSON.stringify(answer) ?? 'null'
  return { value: JSON.parse(text) as unknown, sizeBytes: Buffer.byteLength(text) }
}

interface Passed {
  readonly value: unknown
  readonly sizeBytes: number
}

type Answer = { records?: ({ data?: unknown } | null)[] } | null

test('an event comes out as JSON would have brought it, whether its data was at hand or not', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), fc.boolean(), (datas, atHand) => {
      const packed = packEvent(eventOf(datas, atHand))
      expect(unpackEvent(packed)).toEqual(eventOf(datas, false))
      expect(answersPacked(packed)).toBe(atHand && datas.length > 0)
    }),
  )
})

test('the data of an event is not in the JSON that is passed', () => {
  const { text, bytes, sizes } = packEvent(
    eventOf([Buffer.from('one'), Buffer.from('three')], true),
  )
  const records = ['r0', 'r1'].map((recordId, index) => ({
    recordId,
    approximateArrivalTimestamp: index,
  }))
  expect(JSON.parse(text)).toEqual({ ...AROUND, records })
  expect([String(bytes), sizes]).toEqual(['onethree', [3, 5]])
})

test('what a source tells of a record goes along, and Kafka data comes out under both names', () => {
  const bytes = Buffer.from('A')
  const data = bytes.toString('base64')
  const record = { recordId: 'r0', approximateArrivalTimestamp: 0, data }
  const metadata = { mskRecordMetadata: { offset: '7', partitionId: '0' }, key: null }
  const event = { ...AROUND, sourceMSKArn: 'arn', records: [{ ...record, ...metadata, bytes }] }
  expect(unpackEvent(packEvent(event))).toEqual({
    ...AROUND,
    sourceMSKArn: 'arn',
    records: [{ ...record, ...metadata, kafkaRecordValue: data }],
  })
})

test('an answer comes out, and is as large, as its JSON, whatever it is', () => {
  const data = fc.oneof(fc.base64String(), fc.string(), fc.jsonValue(), fc.constant(undefined))
  const record = fc.record(
    {
      recordId: fc.oneof(fc.string(), fc.integer()),
      result: fc.string(),
      data,
      metadata: fc.object(),
    },
    { requiredKeys: [] },
  )
  const records = fc.array(fc.oneof({ weight: 9, arbitrary: record }, fc.jsonValue()))
  const answer = fc.oneof(fc.record({ records, more: fc.jsonValue() }), fc.jsonValue())
  fc.assert(
    fc.property(answer, (value) => {
      expect(throughPacking(value)).toEqual(throughJson(value))
    }),
  )
})

const OK = { recordId: 'a', result: 'Ok', data: 'QQ==' }

class WithGetter {
  recordId = 'a'
  get data(): string {
    return 'QQ=='
  }
}

test.each([
  ['nothing', undefined],
  ['no list', { records: 'x' }],
  ['an answer with an idea of its own', { records: [OK], toJSON: () => 1 }],
  ['a list with an idea of its own', { records: Object.assign([OK], { toJSON: () => [] }) }],
  ['a record with an idea of its own', { records: [{ ...OK, toJSON: () => ({ recordId: 'b' }) }] }],
  ['data that JSON does not see', { records: [new WithGetter(), Object.create(OK)] }],
  ['a text in a box', { records: [Object('text'), { ...OK, data: Object('QQ==') }] }],
  ['a hole', { records: Object.assign(Array<unknown>(3), { 1: OK }) }],
  ['records without an id', { records: [{ data: 'QQ==' }, {}] }],
  ['what JSON leaves out', { records: [{ ...OK, metadata: undefined, more: () => 1 }] }],
  [
    'a member named __proto__',
    { records: [JSON.parse('{"__proto__": 1, "recordId": "a", "data": ""}')] },
  ],
])('an answer comes out as its JSON: %s', (_, value: unknown) => {
  expect(throughPacking(value)).toEqual(throughJson(value))
})

test('data that is base64 is passed as bytes', () => {
  const records = [OK, { ...OK, data: 'QQ' }, { ...OK, data: 'QkM=' }]
  const packed = packAnswer({ records })
  expect(unpackAnswer(packed)).toEqual({
    records: [
      { ...OK, data: Buffer.from('A') },
      { ...OK, data: 'QQ' },
      { ...OK, data: Buffer.from('BC') },
    ],
  })
})
