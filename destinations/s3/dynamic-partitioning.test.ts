import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import type { ConfigurationContext } from '../../src/destination.ts'
import { ConfigurationError } from '../../src/destination.ts'
import { s3 } from './index.ts'

const LENIENT: ConfigurationContext = { strictAws: false, objectStoreKind: 's3' }
const STRICT: ConfigurationContext = { ...LENIENT, strictAws: true }
const ROLE = 'arn:aws:iam::000000000000:role/delivery'
const REQUIRED = { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::logs' }
const FUNCTION = 'arn:aws:lambda:us-east-1:000000000000:function:route'
const RETRY_OPTIONS = { DurationInSeconds: 300 }
const ON = { DynamicPartitioningConfiguration: { Enabled: true } }
const OFF = { DynamicPartitioningConfiguration: { Enabled: false } }
const ERRORS = { ErrorOutputPrefix: 'failed/!{firehose:error-output-type}/' }

const CONVERSION = {
  SchemaConfiguration: { RoleARN: ROLE, DatabaseName: 'db', TableName: 't' },
  InputFormatConfiguration: { Deserializer: { HiveJsonSerDe: {} } },
  OutputFormatConfiguration: { Serializer: { ParquetSerDe: { Compression: 'GZIP' } } },
}

function processor(Type: string, ...values: readonly (readonly [string, string])[]): JsonObject {
  const Parameters = values.map(([ParameterName, ParameterValue]) => ({
    ParameterName,
    ParameterValue,
  }))
  return { Type, Parameters }
}

const processing = (...Processors: JsonObject[]): JsonObject => ({
  ProcessingConfiguration: { Enabled: true, Processors },
})
const extraction = (query: string): JsonObject =>
  processor(
    'MetadataExtraction',
    ['MetadataExtractionQuery', query],
    ['JsonParsingEngine', 'JQ-1.6'],
  )
const LAMBDA = processor('Lambda', ['LambdaArn', FUNCTION])
const NOTHING_SAID = processing(processor('AppendDelimiterToRecord'))

/** By customer, which a query finds. */
const BY_QUERY: JsonObject = {
  ...REQUIRED,
  ...ON,
  ...ERRORS,
  Prefix: 'c=!{partitionKeyFromQuery:customer}/!{timestamp:yyyy}/',
  ...processing(extraction('{customer:.customer_id}')),
}
/** By day, which a function says. */
const BY_LAMBDA: JsonObject = {
  ...BY_QUERY,
  Prefix: 'd=!{partitionKeyFromLambda:day}/',
  ...processing(LAMBDA),
}

function create(given: JsonObject, context = LENIENT): JsonObject {
  return s3.create('ExtendedS3DestinationConfiguration', given, context)
}

function update(stored: JsonObject, given: JsonObject, context = LENIENT): JsonObject {
  return s3.update(stored, 'ExtendedS3DestinationUpdate', given, context)
}

function describeExtended(stored: JsonObject): JsonObject {
  return s3.describe(stored).ExtendedS3DestinationDescription as JsonObject
}

test.each([
  ['a query', BY_QUERY],
  ['a function', BY_LAMBDA],
])('keys from %s: echoed, with defaults that have larger buffers', (_, given) => {
  for (const context of [LENIENT, STRICT, { ...LENIENT, objectStoreKind: 'folder' } as const]) {
    expect(describeExtended(create(given, context))).toMatchObject({
      Prefix: given.Prefix,
      BufferingHints: { SizeInMBs: 128, IntervalInSeconds: 300 },
      DynamicPartitioningConfiguration: { Enabled: true, RetryOptions: RETRY_OPTIONS },
    })
  }
})

test('keys may come from both, more than once, beside other expressions', () => {
  const Prefix =
    '!{partitionKeyFromQuery:a}!{partitionKeyFromLambda:b}/!{partitionKeyFromQuery:c d}' +
    '!{partitionKeyFromQuery:a}/!{firehose:random-string}/'
  const processors = processing(extraction('{"c d":.x, a:(.y|tostring)}'), LAMBDA)
  expect(describeExtended(create({ ...BY_QUERY, ...processors, Prefix })).Prefix).toBe(Prefix)
})

test('a query whose keys cannot be read off it is left to jq', () => {
  const given = { ...BY_QUERY, ...processing(extraction('.x | {customer:.id}')) }
  expect(create(given)).toMatchObject(ON)
})

test('omitted Enabled is off', () => {
  const given = { ...REQUIRED, DynamicPartitioningConfiguration: { RetryOptions: {} } }
  expect(describeExtended(create(given))).toMatchObject({
    BufferingHints: { SizeInMBs: 5, IntervalInSeconds: 300 },
    DynamicPartitioningConfiguration: { Enabled: false, RetryOptions: RETRY_OPTIONS },
  })
})

describe('refused', () => {
  const keys = (count: number): readonly string[] =>
    Array.from({ length: count }, (_, index) => `k${index}`)
  const fromQuery = (names: readonly string[]): string =>
    names.map((name) => `!{partitionKeyFromQuery:${name}}`).join('')

  test.each<[message: string, members: JsonObject]>([
    [
      'Prefix must contain Dynamic Partitioning Namespaces when Dynamic Partitioning is enabled.',
      { Prefix: '!{timestamp:yyyy}/' },
    ],
    [
      'Prefix must contain Dynamic Partitioning Namespaces when Dynamic Partitioning is enabled.',
      { Prefix: '' },
    ],
    [
      'ErrorOutputPrefix cannot be null or empty when Prefix contains expressions',
      { ErrorOutputPrefix: '' },
    ],
    [
      'Prefix uses partitionKeyFromQuery, but there is no MetadataExtraction processor',
      processing(LAMBDA),
    ],
    [
      'Prefix uses partitionKeyFromQuery, but there is no MetadataExtraction processor',
      { ProcessingConfiguration: { Enabled: false, Processors: [extraction('{customer:.c}')] } },
    ],
    [
      'Prefix uses partitionKeyFromLambda, but there is no Lambda processor',
      { Prefix: '!{partitionKeyFromQuery:customer}!{partitionKeyFromLambda:day}/' },
    ],
    [
      'Prefix must contain the partition keys of MetadataExtractionQuery as partitionKeyFromQuery',
      { Prefix: '!{partitionKeyFromLambda:day}/', ...processing(LAMBDA, extraction('.')) },
    ],
    [
      'Prefix contains !{partitionKeyFromQuery:customer}, but MetadataExtractionQuery has no key customer',
      processing(extraction('{client:.customer}')),
    ],
    [
      'Prefix must contain !{partitionKeyFromQuery:day}, for MetadataExtractionQuery has the key day',
      processing(extraction('{customer:.customer, day:.day}')),
    ],
    [
      'MetadataExtractionQuery cannot have more than 50 partition keys',
      { Prefix: fromQuery(keys(2)), ...processing(extraction(`{${keys(51).join()}}`)) },
    ],
    [
      'MetadataExtraction processor can only be present when Dynamic Partitioning is enabled.',
      { ...OFF, Prefix: '' },
    ],
    [
      'Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled.',
      { ...OFF, ...NOTHING_SAID },
    ],
    [
      'RetryOptions.DurationInSeconds must be between 0 and 7200',
      {
        DynamicPartitioningConfiguration: {
          Enabled: true,
          RetryOptions: { DurationInSeconds: 7_201 },
        },
      },
    ],
  ])('%s', (message, members) => {
    expect(() => create({ ...BY_QUERY, ...members })).toThrow(new ConfigurationError(message))
  })

  test.each([
    ['SizeInMBs must be at least 64', { SizeInMBs: 63 }],
    ['IntervalInSeconds must be at least 60', { IntervalInSeconds: 59 }],
  ])('with the limits of AWS: %s', (limit, BufferingHints) => {
    const given = { ...BY_QUERY, BufferingHints }
    expect(describeExtended(create(given)).BufferingHints).toMatchObject(BufferingHints)
    expect(() => create(given, STRICT)).toThrow(
      `BufferingHints.${limit} when Dynamic Partitioning is enabled.`,
    )
  })
})

describe('update', () => {
  const unpartitioned = create(REQUIRED)
  const partitioned = create(BY_QUERY)

  test('switches it on and off', () => {
    const { RoleARN: _role, BucketARN: _bucket, ...changes } = BY_QUERY
    const on = update(unpartitioned, changes)
    expect(on).toEqual({ ...partitioned, BufferingHints: unpartitioned.BufferingHints })
    const off = update(on, { ...OFF, ...NOTHING_SAID, Prefix: 'p/' })
    expect(off).toMatchObject({
      Prefix: 'p/',
      DynamicPartitioningConfiguration: { Enabled: false, RetryOptions: RETRY_OPTIONS },
    })
  })

  test('cannot switch it on or off with the limits of AWS', () => {
    const message =
      'Dynamic Partitioning can only be enabled when a Firehose is created, and not disabled'
    const on = { ...BY_QUERY, BufferingHints: { SizeInMBs: 64 } }
    const off = { ...OFF, ...NOTHING_SAID, Prefix: 'p/' }
    expect(() => update(unpartitioned, on, STRICT)).toThrow(new ConfigurationError(message))
    expect(() => update(partitioned, off, STRICT)).toThrow(new ConfigurationError(message))
  })

  test('merges its members', () => {
    const changes = {
      DynamicPartitioningConfiguration: { RetryOptions: { DurationInSeconds: 0 } },
    }
    const updated = update(partitioned, changes, STRICT)
    expect(updated).toEqual({
      ...partitioned,
      DynamicPartitioningConfiguration: { Enabled: true, RetryOptions: { DurationInSeconds: 0 } },
    })
    expect(update(updated, ON, STRICT)).toBe(updated)
  })

  test.each<[what: string, changes: JsonObject]>([
    ['the query', processing(extraction('{client:.c}'))],
    ['the processors', { ProcessingConfiguration: { Enabled: false } }],
    ['the prefix', { Prefix: 'p/' }],
    ['partitioning', OFF],
  ])('is refused when it takes %s from the others', (_, changes) => {
    expect(() => update(partitioned, changes)).toThrow(ConfigurationError)
  })
})

test('what is described creates the same again', () => {
  const of = <Value>(...values: readonly Value[]): fc.Arbitrary<Value> => fc.constantFrom(...values)
  const given = fc
    .tuple(
      of(BY_QUERY, BY_LAMBDA, { ...REQUIRED, ...NOTHING_SAID }, { ...REQUIRED, ...OFF }),
      of({}, { BufferingHints: { IntervalInSeconds: 90 } }, { BufferingHints: { SizeInMBs: 64 } }),
      of({}, { CompressionFormat: 'GZIP' }, { FileExtension: '.x', CustomTimeZone: 'Asia/Tokyo' }),
      of({}, processing(LAMBDA), processing(processor('Decompression'))),
      of({}, { S3BackupConfiguration: REQUIRED, S3BackupMode: 'Enabled' }),
      of(
        {},
        { DataFormatConversionConfiguration: { Enabled: false } },
        { DataFormatConversionConfiguration: CONVERSION },
      ),
    )
    .map((parts): JsonObject => Object.assign({}, ...parts) as JsonObject)
  let taken = 0
  fc.assert(
    fc.property(given, of(LENIENT, STRICT), (configuration, context) => {
      const stored = storedOrRefused(configuration, context)
      if (stored === undefined) return
      taken += 1
      const { S3BackupDescription: backup, ...described } = describeExtended(stored)
      const again = { ...described, ...(backup && { S3BackupConfiguration: backup }) }
      expect(create(again, context)).toEqual(stored)
    }),
  )
  expect(taken).toBeGreaterThan(20)
})

function storedOrRefused(given: JsonObject, context: ConfigurationContext): JsonObject | undefined {
  try {
    return create(given, context)
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined
    throw error
  }
}
