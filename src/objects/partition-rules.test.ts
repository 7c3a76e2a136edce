import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { batchOf } from '../../test/fakes/object-job.ts'
import { streamTo } from '../../test/fakes/delivered-batch.ts'
import type { JsonObject } from '../base/json.ts'
import type { PartitionKeys } from '../partition.ts'
import { hasFileNames } from './folder-path.ts'
import { planObject } from './object-plan.ts'
import type { ObjectPlan } from './object-plan.ts'
import { partitionRules } from './partition-rules.ts'
import type { PrefixRules, S3Configuration } from './s3-configuration.ts'
import { checkS3Configuration, S3_DEFAULTS } from './s3-configuration.ts'

const ERRORS = 'errors/!{firehose:error-output-type}/'
const RULES: PrefixRules = { timeZone: 'UTC', dynamicPartitioning: true }

function configurationOf(Prefix: string): S3Configuration {
  const names = { RoleARN: 'r', BucketARN: 'arn:aws:s3:::b', ErrorOutputPrefix: ERRORS }
  return { ...S3_DEFAULTS, ...names, Prefix } as JsonObject as unknown as S3Configuration
}

function planOf(Prefix: string): ObjectPlan {
  return planObject(
    { ...streamTo('ExtendedS3', {}), name: 's'.repeat(64), versionId: 1_000_000 },
    {
      kind: 's3',
      outputIndex: 0,
      accounting: 'delivered',
      records: 'processed',
      configuration: configurationOf(Prefix),
      prefixRules: RULES,
      fileExtension: `.${'x'.repeat(127)}`,
    },
  )
}

function keysOf(query: Record<string, string>, lambda: Record<string, string> = {}): PartitionKeys {
  return { query: new Map(Object.entries(query)), lambda: new Map(Object.entries(lambda)) }
}

const rulesOf = (prefix: string, takesKey = (_key: string): boolean => true) =>
  partitionRules(planOf(prefix), RULES, takesKey)

test('the keys are those that the prefix names, each once', () => {
  const rules = rulesOf(
    '!{partitionKeyFromQuery:a}/!{partitionKeyFromLambda:b}/!{partitionKeyFromQuery:a}!{partitionKeyFromQuery:c}/',
  )
  expect([rules.queryKeys, rules.lambdaKeys]).toEqual([['a', 'c'], ['b']])
})

test('keys fit as long as the prefix leaves room for a name, each as often as it is used', () => {
  const { fits } = rulesOf('!{partitionKeyFromQuery:a}/!{partitionKeyFromQuery:a}/')
  // 764 bytes are left, of which the date takes 14 and the slashes 2.
  expect(fits?.(keysOf({ a: 'x'.repeat(374) }))).toBe(true)
  expect(fits?.(keysOf({ a: 'x'.repeat(375) }))).toBe(false)
  expect(fits?.(keysOf({ a: 'é'.repeat(187) }))).toBe(true)
  expect(fits?.(keysOf({ a: 'é'.repeat(188) }))).toBe(false)
})

test('it counts when a date is at its widest, whenever the records came', () => {
  const literal = 'x'.repeat(400)
  const { fits } = rulesOf(`${literal}!{timestamp:MMMM-B}!{partitionKeyFromQuery:a}`)
  const room = 764 - 400 - 'September-in the afternoon'.length
  expect(fits?.(keysOf({ a: 'x'.repeat(room) }))).toBe(true)
  expect(fits?.(keysOf({ a: 'x'.repeat(room + 1) }))).toBe(false)
})

test('in a folder, what stands between two slashes has to be a file name', () => {
  const prefix = 'a=!{partitionKeyFromQuery:a},b=!{partitionKeyFromQuery:b}/!{timestamp:HH}/'
  const inFolder = rulesOf(prefix, (key) => hasFileNames(key.slice(0, key.lastIndexOf('/'))))
  const long = keysOf({ a: 'x'.repeat(125), b: 'x'.repeat(126) })
  expect([rulesOf(prefix).fits?.(long), inFolder.fits?.(long)]).toEqual([true, false])
  expect(inFolder.fits?.(keysOf({ a: 'x'.repeat(125), b: 'x'.repeat(125) }))).toBe(true)
  // Each becomes `%25`.
  expect(inFolder.fits?.(keysOf({ a: '%'.repeat(83), b: 'b' }))).toBe(true)
  expect(inFolder.fits?.(keysOf({ a: '%'.repeat(84), b: 'b' }))).toBe(false)
})

test('keys that fit name an object, whenever its oldest record came', () => {
  const pieces = [
    '!{partitionKeyFromQuery:a}',
    '!{partitionKeyFromLambda:b}',
    '!{timestamp:EEEE MMMM yyyy}',
    '!{firehose:random-string}',
    'literal/',
  ]
  const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 256 })
  const arrivals = fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01') })
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 12 }),
      value,
      value,
      arrivals.filter((date) => !Number.isNaN(date.getTime())),
      (parts, a, b, arrival) => {
        const plan = planOf(parts.join(''))
        const partitionKeys = keysOf({ a }, { b })
        const { fits } = partitionRules(plan, RULES, () => true)
        fc.pre(fits?.(partitionKeys) === true)
        const { batchId } = batchOf(1)
        const { key } = plan.target({ batchId, firstArrivalMs: arrival.getTime(), partitionKeys })
        expect(Buffer.byteLength(key)).toBeLessThanOrEqual(1024)
      },
    ),
  )
})

test('a prefix that has room for no keys is refused at create, also where buckets are folders', () => {
  const check = (prefix: string, objectStoreKind: 's3' | 'folder') => () =>
    checkS3Configuration(configurationOf(prefix), RULES, { strictAws: false, objectStoreKind })
  const key = '!{partitionKeyFromQuery:a}'
  for (const kind of ['s3', 'folder'] as const) check(`${'x'.repeat(99)}${key}/`, kind)()
  expect(check(`${'x'.repeat(100)}${key}/`, 'folder')).toThrow(/too long where buckets are folders/)
  expect(check(`${'x'.repeat(512)}${key}/`, 's3')).toThrow(
    'Prefix cannot be greater than 512 characters after it is evaluated',
  )
})
