import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import type { PartitionRules } from '../../partition.ts'
import type { ProcessingRecord } from '../../processor.ts'
import { runProcessor } from '../../../test/fakes/processing.ts'
import { partitioning } from './partitioning.ts'

const NOW_MS = 1_763_000_000_000
const CLOCK = { ...systemClock, nowMs: () => NOW_MS }
const RULES: PartitionRules = { queryKeys: ['customer', 'region'], lambdaKeys: ['day'] }

function keyed(
  ordinal: number,
  query: Readonly<Record<string, string>>,
  lambda: Readonly<Record<string, string>>,
): ProcessingRecord {
  const data = Buffer.from(`record ${ordinal}`)
  const keys = { query: new Map(Object.entries(query)), lambda: new Map(Object.entries(lambda)) }
  return { ordinal, arrivalMs: NOW_MS, data, original: data, keys }
}

function run(records: readonly ProcessingRecord[], partitionsMax = 500, rules = RULES) {
  return runProcessor(partitioning({ rules, partitionsMax, clock: CLOCK }), records)
}

test('records with the same values are of one partition, whatever other keys they have', async () => {
  const { out, failed } = await run([
    keyed(0, { customer: 'a', region: 'eu', colour: 'red' }, { day: '1' }),
    keyed(1, { customer: 'b', region: 'eu' }, { day: '1' }),
    keyed(2, { region: 'eu', customer: 'a', colour: 'blue' }, { day: '1', hour: '2' }),
  ])
  expect(failed).toEqual([])
  const [first, second, third] = out
  const query = new Map([
    ['customer', 'a'],
    ['region', 'eu'],
  ])
  expect(first?.keys).toEqual({ query, lambda: new Map([['day', '1']]) })
  expect(third?.keys).toEqual(first?.keys)
  expect(third?.partition).toBe(first?.partition)
  expect(second?.partition).not.toBe(first?.partition)
  expect(out.map(({ data }) => data.toString())).toEqual(['record 0', 'record 1', 'record 2'])
})

test('values are made safe for a path', async () => {
  const { out } = await run([keyed(0, { customer: '../x', region: 'a/b' }, { day: '\\' })])
  expect(out[0]?.keys).toEqual({
    query: new Map([
      ['customer', '%2E%2E/x'],
      ['region', 'a/b'],
    ]),
    lambda: new Map([['day', '%5C']]),
  })
})

test('a record whose safe keys do not fit together fails alone', async () => {
  const fits: PartitionRules['fits'] = ({ query }) => query.get('customer') !== '%2E'
  const records = ['.', 'a'].map((customer, ordinal) =>
    keyed(ordinal, { customer, region: 'eu' }, { day: '1' }),
  )
  const { out, failed } = await run(records, 500, { ...RULES, fits })
  expect(out.map(({ ordinal }) => ordinal)).toEqual([1])
  expect(failed.map(({ record, failure }) => [record.ordinal, failure])).toEqual([
    [
      0,
      {
        errorOutputType: 'processing-failed',
        errorCode: 'DynamicPartitioning.MetadataExtractionFailed',
        errorMessage: 'The partition keys are too long for a prefix',
        attemptsMade: 1,
        atMs: NOW_MS,
      },
    ],
  ])
})

test('a record without a key, or with a value that fits in no name, fails alone', async () => {
  const bare = Buffer.from('bare')
  const { out, failed } = await run([
    keyed(0, { customer: 'a' }, { day: '1' }),
    keyed(1, { customer: 'a', region: 'eu' }, { day: '1' }),
    keyed(2, { customer: '', region: 'x'.repeat(101) }, { day: '1' }),
    { ordinal: 3, arrivalMs: NOW_MS, data: bare, original: bare },
  ])
  expect(out.map(({ ordinal }) => ordinal)).toEqual([1])
  const failure = {
    errorOutputType: 'processing-failed',
    errorCode: 'DynamicPartitioning.MetadataExtractionFailed',
    attemptsMade: 1,
    atMs: NOW_MS,
  }
  expect(failed.map(({ record, failure }) => [record.ordinal, failure])).toEqual([
    [0, { ...failure, errorMessage: "partitionKeys has no value for 'region'" }],
    [
      2,
      {
        ...failure,
        errorMessage:
          "The value of partition key 'customer' is empty or too long for an object's name; The value of partition key 'region' is empty or too long for an object's name",
      },
    ],
    [
      3,
      {
        ...failure,
        errorMessage:
          "partitionKeys has no value for 'customer'; partitionKeys has no value for 'region'; partitionKeys has no value for 'day'",
      },
    ],
  ])
})

test('beyond the limit only new partitions are refused', async () => {
  const customers = ['a', 'b', 'c', 'a', 'd', 'b']
  const records = customers.map((customer, ordinal) => keyed(ordinal, { customer }, {}))
  const { out, failed } = await run(records, 2, { queryKeys: ['customer'], lambdaKeys: [] })
  expect(out.map(({ ordinal }) => ordinal)).toEqual([0, 1, 3, 5])
  expect(failed.map(({ record, failure }) => [record.ordinal, failure])).toEqual(
    [2, 4].map((ordinal) => [
      ordinal,
      {
        errorOutputType: 'activePartitionExceeded',
        errorCode: 'DynamicPartitioning.ActivePartitionsLimitExceeded',
        errorMessage: 'The limit of 2 active partitions is exceeded',
        attemptsMade: 1,
        atMs: NOW_MS,
      },
    ]),
  )
})

test('a record that fails takes no partition', async () => {
  const records = [keyed(0, { customer: 'x'.repeat(300) }, {}), keyed(1, { customer: 'a' }, {})]
  const { out } = await run(records, 1, { queryKeys: ['customer'], lambdaKeys: [] })
  expect(out.map(({ ordinal }) => ordinal)).toEqual([1])
})

test('no two tuples of values are one partition, or have the same keys', async () => {
  const value = fc
    .array(fc.constantFrom('a', 'b', '\0', ',', '"', '\\', '/', '.', '%', '%2E', '2E', '\ud800'), {
      minLength: 1,
      maxLength: 3,
    })
    .map((pieces) => pieces.join(''))
  const tuples = fc.array(fc.tuple(value, value, value), { minLength: 2, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(tuples, async (given) => {
      const records = given.map(([customer, region, day], ordinal) =>
        keyed(ordinal, { customer, region }, { day }),
      )
      const { out } = await run(records)
      expect(out.length).toBe(given.length)
      const distinct = new Set(given.map((tuple) => JSON.stringify(tuple))).size
      expect(new Set(out.map(({ partition }) => partition)).size).toBe(distinct)
      expect(new Set(out.map(({ keys }) => keyText(keys))).size).toBe(distinct)
    }),
  )
})

test('ten thousand partitions of a batch share what can be shared', async () => {
  const records = Array.from({ length: 20_000 }, (_, ordinal) =>
    keyed(ordinal, { customer: `c${ordinal % 10_000}` }, {}),
  )
  const { out } = await run(records, 10_000, { queryKeys: ['customer'], lambdaKeys: [] })
  expect(new Set(out.map(({ partition }) => partition)).size).toBe(10_000)
  expect(new Set(out.map(({ keys }) => keys)).size).toBe(10_000)
})

function keyText(keys: ProcessingRecord['keys']): string {
  return JSON.stringify([...(keys?.query ?? []), ...(keys?.lambda ?? [])])
}
