import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../base/json.ts'
import { ConfigurationError } from '../destination.ts'
import {
  checkProcessingUpdate,
  enabledProcessor,
  recordDelimiter,
  replaceProcessing,
} from './processing-configuration.ts'
import type { ProcessingConfiguration } from './processing-configuration.ts'
import type { ProcessingRules, Processor } from './processor-parameters.ts'

const ROLE = 'arn:aws:iam::000000000000:role/delivery'
const OTHER_ROLE = 'arn:aws:iam::000000000000:role/path/other'
const FUNCTION = 'arn:aws:lambda:us-east-1:000000000000:function:enrich'
const RULES: ProcessingRules = {
  roleArn: ROLE,
  lambdaBufferSizeInMBs: '1',
  canBePartitioned: true,
  strictAws: false,
}
const STRICT: ProcessingRules = { ...RULES, strictAws: true }

type Values = readonly (readonly [name: string, value: string])[]

function processor(Type: string, ...values: Values): Processor {
  const Parameters = values.map(([ParameterName, ParameterValue]) => ({
    ParameterName,
    ParameterValue,
  }))
  return { Type, Parameters }
}

function enable(processors: readonly Processor[], rules = RULES): ProcessingConfiguration {
  return replaceProcessing(undefined, { Enabled: true, Processors: processors }, rules)
}

const APPEND_DELIMITER: Processor = { Type: 'AppendDelimiterToRecord' }
const DECOMPRESSION: Processor = { Type: 'Decompression' }
const LAMBDA = processor('Lambda', ['LambdaArn', FUNCTION])
const JSON_DEAGGREGATION = processor('RecordDeAggregation', ['SubRecordType', 'JSON'])
const MESSAGES = processor('CloudWatchLogProcessing', ['DataMessageExtraction', 'true'])
const EXTRACTION = processor('MetadataExtraction', ['MetadataExtractionQuery', '{a:.a}'])
const SQL = processor('SQL', ['SqlQuery', 'SELECT * FROM records'])

describe('a processor that is switched on is completed', () => {
  const completedLambda = processor(
    'Lambda',
    ['LambdaArn', FUNCTION],
    ['NumberOfRetries', '3'],
    ['RoleArn', ROLE],
    ['BufferSizeInMBs', '1'],
    ['BufferIntervalInSeconds', '60'],
  )
  const wholeLambda: Values = [
    ['BufferIntervalInSeconds', '900'],
    ['BufferSizeInMBs', '0.2'],
    ['LambdaArn', `${FUNCTION}:$LATEST`],
    ['RoleArn', OTHER_ROLE],
    ['NumberOfRetries', '0'],
  ]

  test.each<[what: string, given: Processor, stored: Processor]>([
    ['a function with its defaults', LAMBDA, completedLambda],
    [
      'part of the parameters in the order of Firehose',
      processor('Lambda', ['NumberOfRetries', '3'], ['LambdaArn', FUNCTION]),
      completedLambda,
    ],
    [
      'all parameters in the order that they have',
      processor('Lambda', ...wholeLambda),
      processor('Lambda', ...wholeLambda),
    ],
    ['Decompression', DECOMPRESSION, processor('Decompression', ['CompressionFormat', 'GZIP'])],
    [
      'MetadataExtraction',
      EXTRACTION,
      processor(
        'MetadataExtraction',
        ['MetadataExtractionQuery', '{a:.a}'],
        ['JsonParsingEngine', 'JQ-1.6'],
      ),
    ],
    [
      'DELIMITED',
      processor('RecordDeAggregation', ['Delimiter', 'fA=='], ['SubRecordType', 'DELIMITED']),
      processor('RecordDeAggregation', ['Delimiter', 'fA=='], ['SubRecordType', 'DELIMITED']),
    ],
    ['JSON', JSON_DEAGGREGATION, JSON_DEAGGREGATION],
    [
      'KPL',
      processor('RecordDeAggregation', ['SubRecordType', 'KPL']),
      processor('RecordDeAggregation', ['SubRecordType', 'KPL']),
    ],
    ['SQL', SQL, SQL],
    [
      'a delimiter, of which nothing is kept',
      processor('AppendDelimiterToRecord', ['Delimiter', '\\n']),
      processor('AppendDelimiterToRecord'),
    ],
    [
      'a delimiter in base64',
      processor('AppendDelimiterToRecord', ['Delimiter', 'Cg==']),
      processor('AppendDelimiterToRecord'),
    ],
    ['a delimiter that is not named', APPEND_DELIMITER, processor('AppendDelimiterToRecord')],
  ])('%s', (_, given, stored) => {
    expect(enable([given])).toEqual({ Enabled: true, Processors: [stored] })
  })

  test('a function of Splunk gets a smaller buffer', () => {
    const rules = { ...RULES, lambdaBufferSizeInMBs: '0.25' } as const
    expect(enable([LAMBDA], rules).Processors[0]?.Parameters).toContainEqual({
      ParameterName: 'BufferSizeInMBs',
      ParameterValue: '0.25',
    })
  })

  test('with as many others, in the order of declaration', () => {
    const given = [APPEND_DELIMITER, LAMBDA, MESSAGES, DECOMPRESSION, SQL]
    const { Processors } = enable(given)
    expect(Processors.map(({ Type }) => Type)).toEqual(given.map(({ Type }) => Type))
  })
})

describe('refused', () => {
  const COUNT =
    'A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled.'
  const lambda = (name: string, value: string): Processor =>
    processor('Lambda', ['LambdaArn', FUNCTION], [name, value])

  test.each<[message: string, processors: readonly Processor[], rules?: ProcessingRules]>([
    [COUNT, []],
    [COUNT, [APPEND_DELIMITER, LAMBDA, MESSAGES, DECOMPRESSION, SQL, JSON_DEAGGREGATION]],
    ['Cannot have more than 1 Lambda processor', [LAMBDA, DECOMPRESSION, LAMBDA]],
    ['Cannot have more than 1 SQL processor', [SQL, SQL]],
    [
      'CloudWatchLogProcessingProcessor can only be enabled with DecompressionProcessor',
      [MESSAGES],
    ],
    [
      'MetadataExtraction processor is only supported for an S3 destination with Dynamic Partitioning',
      [EXTRACTION],
      { ...RULES, canBePartitioned: false },
    ],
    ["Invalid processor type 'constructor'", [{ Type: 'constructor' }]],
    ['SQL is no processor of AWS, and strictAws is set', [SQL], STRICT],
    [
      'KPL is no SubRecordType of AWS, and strictAws is set',
      [processor('RecordDeAggregation', ['SubRecordType', 'KPL'])],
      STRICT,
    ],
    ['Parameter LambdaArn must be specified for the Lambda processor', [{ Type: 'Lambda' }]],
    [
      'Parameter MetadataExtractionQuery must be specified for the MetadataExtraction processor',
      [processor('MetadataExtraction', ['JsonParsingEngine', 'JQ-1.6'])],
    ],
    [
      'Parameter DataMessageExtraction must be specified for the CloudWatchLogProcessing processor',
      [{ Type: 'CloudWatchLogProcessing' }, DECOMPRESSION],
    ],
    [
      'Parameter SubRecordType must be specified for the RecordDeAggregation processor',
      [{ Type: 'RecordDeAggregation' }],
    ],
    ['Parameter SqlQuery must be specified for the SQL processor', [{ Type: 'SQL' }]],
    [
      'Parameter Delimiter is not supported for the Lambda processor',
      [lambda('Delimiter', 'Cg==')],
    ],
    [
      'Parameter LambdaArn is specified more than once for the Lambda processor',
      [lambda('LambdaArn', FUNCTION)],
    ],
    [
      'Parameter LambdaArn of the Lambda processor must be the ARN of a Lambda function',
      [processor('Lambda', ['LambdaArn', 'enrich'])],
    ],
    [
      'Parameter RoleArn of the Lambda processor must be the ARN of a role',
      [lambda('RoleArn', 'arn:aws:iam::1:role/r')],
    ],
    ...['301', '-1', '1.5', 'x', ' 1'].map((value): [string, Processor[]] => [
      'Parameter NumberOfRetries of the Lambda processor must be an integer between 0 and 300',
      [lambda('NumberOfRetries', value)],
    ]),
    ...['0.1', '3.01', '0', '1e0', '.5'].map((value): [string, Processor[]] => [
      'Parameter BufferSizeInMBs of the Lambda processor must be a number between 0.2 and 3',
      [lambda('BufferSizeInMBs', value)],
    ]),
    [
      'Parameter BufferIntervalInSeconds of the Lambda processor must be an integer between 0 and 900',
      [lambda('BufferIntervalInSeconds', '901')],
    ],
    [
      'Parameter JsonParsingEngine of the MetadataExtraction processor must be JQ-1.6',
      [
        processor(
          'MetadataExtraction',
          ['MetadataExtractionQuery', '{a:.a}'],
          ['JsonParsingEngine', 'JQ-1.5'],
        ),
      ],
    ],
    [
      'Parameter SubRecordType of the RecordDeAggregation processor must be JSON or DELIMITED or KPL',
      [processor('RecordDeAggregation', ['SubRecordType', 'json'])],
    ],
    ...['|', 'fA', 'f A==', ''].map((value): [string, Processor[]] => [
      'Parameter Delimiter of the RecordDeAggregation processor must be base64',
      [processor('RecordDeAggregation', ['SubRecordType', 'DELIMITED'], ['Delimiter', value])],
    ]),
    [
      'Parameter Delimiter must be specified for the RecordDeAggregation processor when SubRecordType is DELIMITED',
      [processor('RecordDeAggregation', ['SubRecordType', 'DELIMITED'])],
    ],
    [
      'Parameter Delimiter can only be specified for the RecordDeAggregation processor when SubRecordType is DELIMITED',
      [processor('RecordDeAggregation', ['SubRecordType', 'JSON'], ['Delimiter', 'Cg=='])],
    ],
    [
      'Parameter CompressionFormat of the Decompression processor must be GZIP',
      [processor('Decompression', ['CompressionFormat', 'Snappy'])],
    ],
    [
      'Parameter DataMessageExtraction of the CloudWatchLogProcessing processor must be true or false',
      [processor('CloudWatchLogProcessing', ['DataMessageExtraction', 'yes']), DECOMPRESSION],
    ],
    [
      String.raw`Parameter Delimiter of the AppendDelimiterToRecord processor must be \n or Cg==`,
      [processor('AppendDelimiterToRecord', ['Delimiter', ','])],
    ],
  ])('%s', (message, processors, rules) => {
    expect(() => enable(processors, rules)).toThrow(new ConfigurationError(message))
  })
})

describe('replacing', () => {
  const stored = enable([APPEND_DELIMITER])

  test('what is switched off is kept as it is', () => {
    const Processors = [{ Type: 'Lambda' }, { Type: 'Lambda' }, APPEND_DELIMITER]
    const given: JsonObject = { Enabled: false, Processors }
    expect(replaceProcessing(stored, given, STRICT)).toEqual(given)
  })

  test.each<[stored: ProcessingConfiguration | undefined, given: JsonObject, enabled: boolean]>([
    [undefined, { Processors: [LAMBDA] }, false],
    [stored, { Processors: [LAMBDA] }, true],
    [{ ...stored, Enabled: false }, { Processors: [LAMBDA] }, false],
  ])('omitted Enabled: %j, %j', (before, given, enabled) => {
    expect(replaceProcessing(before, given, RULES).Enabled).toBe(enabled)
  })

  test('omitted Processors are none', () => {
    expect(replaceProcessing(stored, { Enabled: false }, RULES)).toEqual({
      Enabled: false,
      Processors: [],
    })
  })
})

test('only what is switched on is at work', () => {
  const on = enable([APPEND_DELIMITER])
  const off = { ...on, Enabled: false }
  expect([on, off, enable([LAMBDA]), undefined].map(recordDelimiter)).toEqual([
    Buffer.from('\n'),
    undefined,
    undefined,
    undefined,
  ])
  expect(enabledProcessor(off, 'AppendDelimiterToRecord')).toBeUndefined()
})

describe('Decompression in an update', () => {
  const compressed = enable([DECOMPRESSION])
  const transformed = enable([LAMBDA])
  const off = { ...compressed, Enabled: false }
  const check = (
    before: ProcessingConfiguration | undefined,
    after: ProcessingConfiguration,
    strictAws: boolean,
  ): void => checkProcessingUpdate(before, after, { strictAws, objectStoreKind: 's3' })

  test('needs Decompression or a function before, with the limits of AWS', () => {
    const message = 'DecompressionProcessor can only be enabled on a Firehose that has'
    for (const before of [undefined, off, enable([APPEND_DELIMITER])]) {
      expect(() => check(before, compressed, true)).toThrow(message)
      expect(() => check(before, compressed, false)).not.toThrow()
    }
  })

  test('is taken where it is not new', () => {
    expect(() => check(compressed, compressed, true)).not.toThrow()
    expect(() => check(transformed, compressed, true)).not.toThrow()
    expect(() => check(undefined, transformed, true)).not.toThrow()
    expect(() => check(undefined, off, true)).not.toThrow()
  })
})

test('whatever is given is completed once and for all, or refused', () => {
  const value = fc.constantFrom('3', '0.5', 'GZIP', 'JSON', 'true', 'Cg==', FUNCTION, ROLE)
  const name = fc.constantFrom(
    'LambdaArn',
    'NumberOfRetries',
    'RoleArn',
    'BufferSizeInMBs',
    'BufferIntervalInSeconds',
    'CompressionFormat',
    'Delimiter',
  )
  const parameter = fc.record({ ParameterName: name, ParameterValue: value })
  const fewParameters = fc.array(parameter, { maxLength: 2 })
  const any = fc.oneof(
    fc.constantFrom(LAMBDA, DECOMPRESSION, MESSAGES, SQL, APPEND_DELIMITER, JSON_DEAGGREGATION),
    fewParameters.map((more) => ({ ...LAMBDA, Parameters: [...LAMBDA.Parameters!, ...more] })),
    fewParameters.map((Parameters) => ({ ...DECOMPRESSION, Parameters })),
  )
  let taken = 0
  fc.assert(
    fc.property(fc.array(any, { maxLength: 5 }), fc.boolean(), (processors, strictAws) => {
      const rules = { ...RULES, strictAws }
      const stored = configurationOrRefusal(processors, rules)
      if (stored === undefined) return
      taken += 1
      const otherDefaults = {
        ...rules,
        roleArn: OTHER_ROLE,
        lambdaBufferSizeInMBs: '0.25',
      } as const
      expect(enable(stored.Processors, otherDefaults)).toEqual(stored)
    }),
    { numRuns: 500 },
  )
  expect(taken).toBeGreaterThan(50)
})

function configurationOrRefusal(
  processors: readonly Processor[],
  rules: ProcessingRules,
): ProcessingConfiguration | undefined {
  try {
    return enable(processors, rules)
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined
    throw error
  }
}
