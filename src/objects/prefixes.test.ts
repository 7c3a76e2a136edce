import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../destination.ts'
import type { PrefixSubject } from './prefix-expression.ts'
import type { PrefixConfiguration } from './prefixes.ts'
import { compilePrefixes } from './prefixes.ts'

const SUBJECT: PrefixSubject = {
  batchId: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  outputIndex: 0,
  arrivalMs: Date.UTC(2018, 7, 27, 10, 30, 59, 999),
  errorOutputType: 'processing-failed',
}

function evaluate(
  configuration: Partial<PrefixConfiguration>,
  subject: Partial<PrefixSubject> = {},
): [prefix: string, errorOutputPrefix: string] {
  const { prefix, errorOutputPrefix } = compilePrefixes({
    timeZone: 'UTC',
    dynamicPartitioning: false,
    ...configuration,
  })
  const whole = { ...SUBJECT, ...subject }
  return [prefix(whole), errorOutputPrefix(whole)]
}

function syntax(text: string): string {
  return `Invalid prefix '${text}': !{ can only appear in expressions of the form !{namespace:value}`
}

function expression(text: string): string {
  return `Invalid prefix expression ${text}`
}

const ERRORS = 'e/!{firehose:error-output-type}/'

describe('prefixes evaluate', () => {
  test.each<[configuration: Partial<PrefixConfiguration>, prefix: string, errorPrefix: string]>([
    [{}, '2018/08/27/10/', 'processing-failed/2018/08/27/10/'],
    [{ Prefix: '' }, '2018/08/27/10/', 'processing-failed/2018/08/27/10/'],
    [{ Prefix: 'old' }, 'old2018/08/27/10/', 'oldprocessing-failed/2018/08/27/10/'],
    [{ Prefix: 'a!b{c}/' }, 'a!b{c}/2018/08/27/10/', 'a!b{c}/processing-failed/2018/08/27/10/'],
    [{ Prefix: 'p/', ErrorOutputPrefix: 'e/' }, 'p/2018/08/27/10/', 'e/'],
    [{ ErrorOutputPrefix: ERRORS }, '2018/08/27/10/', 'e/processing-failed/'],
    [
      { Prefix: 'y=!{timestamp:yyyy}/m=!{timestamp:MM}/', ErrorOutputPrefix: ERRORS },
      'y=2018/m=08/',
      'e/processing-failed/',
    ],
    [
      {
        Prefix: "!{timestamp:'dt='yyyy-MM-dd''HH}",
        ErrorOutputPrefix: `${ERRORS}!{timestamp:yyyy}!{firehose:error-output-type}`,
        timeZone: 'Asia/Tokyo',
      },
      "dt=2018-08-27'19",
      'e/processing-failed/2018processing-failed',
    ],
    [
      { Prefix: 'r=!{firehose:random-string}/', ErrorOutputPrefix: 'e/' },
      expect.stringMatching(/^r=[0-9a-z]{11}\/2018\/08\/27\/10\/$/) as string,
      'e/',
    ],
  ])('%j', (configuration, prefix, errorPrefix) => {
    expect(evaluate(configuration)).toEqual([prefix, errorPrefix])
  })

  test('with partition keys when dynamic partitioning is on', () => {
    const configuration = {
      Prefix: 'c=!{partitionKeyFromQuery:customer}/d=!{partitionKeyFromLambda:day}/',
      ErrorOutputPrefix: ERRORS,
      dynamicPartitioning: true,
    }
    const partitionKeys = { query: new Map([['customer', 'x']]), lambda: new Map([['day', '1']]) }
    expect(evaluate(configuration, { partitionKeys })).toEqual([
      'c=x/d=1/2018/08/27/10/',
      'e/processing-failed/',
    ])
  })
})

describe('random strings', () => {
  const configuration = {
    Prefix: '!{firehose:random-string}/!{firehose:random-string}/!{timestamp:yyyy}',
    ErrorOutputPrefix: 'e/',
  }

  test('are the same for a repeat of the batch', () => {
    expect(evaluate(configuration)).toEqual(evaluate(configuration))
  })

  test('differ by instance, output and batch', () => {
    const prefixes = [
      evaluate(configuration),
      evaluate(configuration, { outputIndex: 1 }),
      evaluate(configuration, { batchId: '01ARZ3NDEKTSV4RRFFQ69G5FAW' }),
    ]
    const strings = prefixes.flatMap(([prefix]) => prefix.split('/').slice(0, 2))
    expect(new Set(strings).size).toBe(6)
  })
})

describe('prefixes are refused', () => {
  const LONG = 'x'.repeat(513)

  test.each<[message: string, configuration: Partial<PrefixConfiguration>]>([
    [syntax('a!{'), { Prefix: 'a!{' }],
    [syntax('!{timestamp}'), { Prefix: '!{timestamp}' }],
    [syntax('!{timestamp:yyyy'), { Prefix: '!{timestamp:yyyy' }],
    [syntax('!{timestamp:!{x:y}}'), { Prefix: '!{timestamp:!{x:y}}' }],
    [expression('!{date:yyyy}'), { Prefix: '!{date:yyyy}' }],
    [expression('!{constructor:x}'), { Prefix: '!{constructor:x}' }],
    [expression('!{firehose:uuid}'), { ErrorOutputPrefix: '!{firehose:uuid}' }],
    [expression('!{partitionKeyFromQuery:}'), { Prefix: '!{partitionKeyFromQuery:}' }],
    ["Invalid timestamp pattern 'j'", { Prefix: '!{timestamp:j}', ErrorOutputPrefix: 'e/' }],
    ["Invalid time zone 'Mars/Base'", { timeZone: 'Mars/Base' }],
    [
      'ErrorOutputPrefix cannot be null or empty when Prefix contains expressions',
      { Prefix: '!{timestamp:yyyy}' },
    ],
    [
      'ErrorOutputPrefix cannot be null or empty when Prefix contains expressions',
      { Prefix: '!{timestamp:yyyy}', ErrorOutputPrefix: '' },
    ],
    [
      'ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}',
      { ErrorOutputPrefix: '!{timestamp:yyyy}' },
    ],
    [
      'Prefix cannot contain !{firehose:error-output-type}',
      { Prefix: '!{firehose:error-output-type}', ErrorOutputPrefix: ERRORS },
    ],
    [
      'ErrorOutputPrefix cannot contain Dynamic Partitioning Namespaces',
      { ErrorOutputPrefix: `${ERRORS}!{partitionKeyFromQuery:a}`, dynamicPartitioning: true },
    ],
    [
      'Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled.',
      { Prefix: '!{partitionKeyFromLambda:a}', ErrorOutputPrefix: ERRORS },
    ],
    ['Prefix cannot be greater than 512 characters after it is evaluated', { Prefix: LONG }],
    [
      'ErrorOutputPrefix cannot be greater than 512 characters after it is evaluated',
      { ErrorOutputPrefix: LONG },
    ],
    [
      "Prefix leaves no room for an object's name within S3's keys",
      { Prefix: '\u4e00'.repeat(512) },
    ],
  ])('%s', (message, configuration) => {
    expect(() => evaluate(configuration)).toThrow(new ConfigurationError(message))
  })
})

test('512 characters are not too many, and what is appended does not count', () => {
  const Prefix = 'x'.repeat(512)
  expect(evaluate({ Prefix })[0]).toBe(`${Prefix}2018/08/27/10/`)
})

test('any text without !{ is a prefix as it stands', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 50 }), (text) => {
      fc.pre(!text.includes('!{'))
      expect(evaluate({ Prefix: text, ErrorOutputPrefix: 'e/' })).toEqual([
        `${text}2018/08/27/10/`,
        'e/',
      ])
    }),
  )
})

test('whatever the prefix, it evaluates or is refused as a configuration', () => {
  const piece = fc.constantFrom(
    ..."!{ } : timestamp: firehose: random-string yyyy ' / ! x".split(' '),
  )
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      expect(prefixOrRefusal(pieces.join(''))).toBeTypeOf('string')
    }),
  )
})

function prefixOrRefusal(Prefix: string): string {
  try {
    return evaluate({ Prefix, ErrorOutputPrefix: ERRORS })[0]
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message
    throw error
  }
}
