import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { runProcessor } from '../../../test/fakes/processing.ts'
import type { ProcessorRun } from '../../../test/fakes/processing.ts'
import { systemClock } from '../../base/clock.ts'
import { recordDeaggregation } from './record-deaggregation.ts'

const clock = { ...systemClock, nowMs: () => 5 }
const json = recordDeaggregation({ subRecordType: 'JSON', clock })
const delimited = recordDeaggregation({
  subRecordType: 'DELIMITED',
  delimiter: Buffer.from('||'),
  clock,
})

function parts({ out }: ProcessorRun): readonly unknown[] {
  return out.map(({ ordinal, part, data, original }) => {
    expect(original.equals(data)).toBe(true)
    return [ordinal, part, data.toString()]
  })
}

test('objects are cut at their ends, whatever is between and within them', async () => {
  const run = await runProcessor(json, [
    '{"a":1}{"b":"}{"}\n\r\n\t {"c":"\\"}","d":[{"e":[]}]}\n',
    '{}',
    '{"ü":"€\u{1f600}"} {"pretty":\n  true}',
  ])
  expect(parts(run)).toEqual([
    [0, 0, '{"a":1}'],
    [0, 1, '{"b":"}{"}'],
    [0, 2, '{"c":"\\"}","d":[{"e":[]}]}'],
    [1, 0, '{}'],
    [2, 0, '{"ü":"€\u{1f600}"}'],
    [2, 1, '{"pretty":\n  true}'],
  ])
  expect([run.made, run.failed, run.dropped]).toEqual([3, [], []])
})

test.each([
  ['', []],
  [' \r\n\t', []],
])('a record of nothing (%j) is dropped', async (data, out) => {
  const run = await runProcessor(json, [data])
  expect([run.out, run.dropped, run.made]).toEqual([out, [0], 0])
})

test.each([
  ['[{"a":1}]', 'there is no JSON object at byte 0'],
  ['{"a":1},{"b":2}', 'there is no JSON object at byte 7'],
  ['{"a":1} 5', 'there is no JSON object at byte 8'],
  ['{"a":1}{"b":', 'the JSON object at byte 7 does not end'],
  ['{"a":"}', 'the JSON object at byte 0 does not end'],
  ['{"a":"\\', 'the JSON object at byte 0 does not end'],
  ['{"a":1]{"b":2}', 'malformed JSON object at byte 0'],
  ['{"a":1}{b:2}', 'malformed JSON object at byte 7'],
  ['{"a":1}\u00a0{"b":2}', 'there is no JSON object at byte 7'],
])('%j is failed as a whole, not cut in a wrong place', async (data, reason) => {
  const run = await runProcessor(json, ['{"x":1}', data])
  expect(parts(run)).toEqual([[0, 0, '{"x":1}']])
  expect(run.failed.map(({ record, failure }) => [record.original.toString(), failure])).toEqual([
    [
      data,
      {
        errorOutputType: 'processing-failed',
        errorCode: 'RecordDeAggregation.MalformedJson',
        errorMessage: `Cannot de-aggregate the record: ${reason}`,
        attemptsMade: 1,
        atMs: 5,
      },
    ],
  ])
})

test('bytes that are no UTF-8 fail a record of JSON', async () => {
  const run = await runProcessor(json, [Buffer.from('{"a":"\xff"}', 'latin1')])
  expect(run.failed.map(({ failure }) => failure.errorMessage)).toEqual([
    'Cannot de-aggregate the record: malformed JSON object at byte 0',
  ])
})

test('any objects, in any white space, come out one by one', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(
          fc.dictionary(fc.string(), fc.jsonValue()),
          fc.constantFrom('', ' ', '\n', '\r\n\t'),
        ),
        { minLength: 1, maxLength: 20 },
      ),
      async (objects) => {
        const texts = objects.map(([object]) => JSON.stringify(object))
        const data = objects.map(([, space], at) => space + texts[at]).join('')
        const run = await runProcessor(json, [data])
        expect(run.out.map((record) => record.data.toString())).toEqual(texts)
      },
    ),
  )
})

test('what is between delimiters comes out, and empty pieces do not', async () => {
  const run = await runProcessor(delimited, ['a||b|c||', '||||', 'd', '||e|||f', ''])
  expect(parts(run)).toEqual([
    [0, 0, 'a'],
    [0, 1, 'b|c'],
    [2, 0, 'd'],
    [3, 0, 'e'],
    [3, 1, '|f'],
  ])
  expect([run.made, run.dropped]).toEqual([2, [1, 4]])
})

test('of more than 500 parts AWS hands on the record whole, and so do we', async () => {
  const most = '{"a":1}'.repeat(500)
  const run = await runProcessor(json, [most, `${most}{}`, `${most}{`, 'x'])
  expect(run.out.filter(({ ordinal }) => ordinal === 0)).toHaveLength(500)
  expect(
    run.out.slice(500).map(({ ordinal, part, data }) => [ordinal, part, data.toString()]),
  ).toEqual([[1, undefined, `${most}{}`]])
  expect(run.failed.map(({ record }) => record.ordinal)).toEqual([2, 3])

  const pieces = await runProcessor(delimited, ['a||'.repeat(500), 'a||'.repeat(501)])
  expect(pieces.out.map(({ ordinal }) => ordinal)).toEqual([...Array(500).fill(0), 1])
})

test('parts of what a stage before had split are numbered through', async () => {
  const record = { arrivalMs: 1, original: Buffer.from('whole') }
  const tooMany = Buffer.from('{}'.repeat(501))
  const run = await runProcessor(
    json,
    [
      { ...record, ordinal: 7, part: 0, data: Buffer.from('{"a":1}{"b":2}') },
      { ...record, ordinal: 7, part: 1, data: tooMany },
      { ...record, ordinal: 7, part: 2, data: Buffer.from('{"c":3}') },
      { ...record, ordinal: 9, part: 0, data: Buffer.from('{"d":4}') },
    ],
    { groupSize: 1 },
  )
  expect(run.out.map(({ ordinal, part }) => [ordinal, part])).toEqual([
    [7, 0],
    [7, 1],
    [7, 2],
    [7, 3],
    [9, 0],
  ])
})
