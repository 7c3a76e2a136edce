/**
 * The types of processors and their parameters: Firehose's own (facts: Processing), and the type SQL
 * and the SubRecordType KPL, which are Standpipe's and refused with the limits of AWS.
 *
 * A processor is stored with every parameter that has a default, in Firehose's order; where all were
 * given, in the order that they were given in, so that a client is told what it sent.
 */
import { ConfigurationError } from '../destination.ts'

/** As stored. */
export type Processor = {
  readonly Type: string
  readonly Parameters?: readonly ProcessorParameter[]
}

export type ProcessorParameter = {
  readonly ParameterName: string
  readonly ParameterValue: string
}

/** What a processor depends on besides what it says. */
export interface ProcessingRules {
  /** The destination's role, which a Lambda processor has unless it names another. */
  readonly roleArn: string
  /** Default of a Lambda processor's BufferSizeInMBs. */
  readonly lambdaBufferSizeInMBs: '0.25' | '1'
  /** Whether the destination is one that can be partitioned: MetadataExtraction is for nothing else. */
  readonly canBePartitioned: boolean
  readonly strictAws: boolean
}

/** The values that a parameter may have, and how they are called. */
interface Values {
  includes(value: string): boolean
  readonly expected: string
}

interface ParameterRule {
  readonly name: string
  readonly values: Values
  readonly presence: 'required' | 'optional' | ((rules: ProcessingRules) => string)
}

const ANY_TEXT: Values = { includes: () => true, expected: 'text' }
const BASE64: Values = { includes: isBase64, expected: 'base64' }
const LAMBDA_ARN = matching(
  /^arn:[^:]+:lambda:[^:]*:[^:]*:function:[^:]+(?::[^:]+)?$/,
  'the ARN of a Lambda function',
)
const ROLE_ARN = matching(/^arn:[^:]+:iam::\d{12}:role\/.+$/, 'the ARN of a role')
/** Escaped, as in Terraform's manual, or in base64. */
const LINE_FEED = oneOf(String.raw`\n`, 'Cg==')

const PARAMETERS: ReadonlyMap<string, readonly ParameterRule[]> = new Map([
  [
    'Lambda',
    [
      required('LambdaArn', LAMBDA_ARN),
      defaulted('NumberOfRetries', integer(0, 300), () => '3'),
      defaulted('RoleArn', ROLE_ARN, ({ roleArn }) => roleArn),
      defaulted('BufferSizeInMBs', decimal(0.2, 3), (rules) => rules.lambdaBufferSizeInMBs),
      defaulted('BufferIntervalInSeconds', integer(0, 900), () => '60'),
    ],
  ],
  [
    'MetadataExtraction',
    [
      required('MetadataExtractionQuery', ANY_TEXT),
      defaulted('JsonParsingEngine', oneOf('JQ-1.6'), () => 'JQ-1.6'),
    ],
  ],
  [
    'RecordDeAggregation',
    [required('SubRecordType', oneOf('JSON', 'DELIMITED', 'KPL')), optional('Delimiter', BASE64)],
  ],
  ['Decompression', [defaulted('CompressionFormat', oneOf('GZIP'), () => 'GZIP')]],
  ['CloudWatchLogProcessing', [required('DataMessageExtraction', oneOf('true', 'false'))]],
  ['AppendDelimiterToRecord', [optional('Delimiter', LINE_FEED)]],
  ['SQL', [required('SqlQuery', ANY_TEXT)]],
])

/**
 * The stored form of a processor that is switched on.
 * @throws ConfigurationError
 */
export function completedProcessor(processor: Processor, rules: ProcessingRules): Processor {
  const { Type, Parameters = [] } = processor
  const parameterRules = PARAMETERS.get(Type)
  if (parameterRules === undefined) throw new ConfigurationError(`Invalid processor type '${Type}'`)
  const given = new Map<string, string>()
  for (const { ParameterName, ParameterValue } of Parameters) {
    const rule = parameterRules.find(({ name }) => name === ParameterName)
    checkParameter(Type, ParameterName, ParameterValue, rule)
    if (given.has(ParameterName)) {
      throw new ConfigurationError(
        `Parameter ${ParameterName} is specified more than once for the ${Type} processor`,
      )
    }
    given.set(ParameterName, ParameterValue)
  }
  if (rules.strictAws) checkExtensions(Type, given)
  if (Type === 'RecordDeAggregation') checkDelimiter(given)
  const completed = parameterRules.flatMap((rule) => parameterOf(Type, rule, given, rules))
  // AWS forgets them, for there is only one delimiter.
  if (Type === 'AppendDelimiterToRecord') return { Type, Parameters: [] }
  return { Type, Parameters: completed.length === Parameters.length ? Parameters : completed }
}

/** The value of a parameter; undefined where the processor has none of that name. */
export function parameterValue({ Parameters = [] }: Processor, name: string): string | undefined {
  return Parameters.find(({ ParameterName }) => ParameterName === name)?.ParameterValue
}

function checkParameter(
  type: string,
  name: string,
  value: string,
  rule: ParameterRule | undefined,
): void {
  if (rule === undefined) {
    throw new ConfigurationError(`Parameter ${name} is not supported for the ${type} processor`)
  }
  if (rule.values.includes(value)) return
  throw new ConfigurationError(
    `Parameter ${name} of the ${type} processor must be ${rule.values.expected}`,
  )
}

function parameterOf(
  type: string,
  { name, presence }: ParameterRule,
  given: ReadonlyMap<string, string>,
  rules: ProcessingRules,
): readonly ProcessorParameter[] {
  const value = given.get(name) ?? (typeof presence === 'function' ? presence(rules) : undefined)
  if (value !== undefined) return [{ ParameterName: name, ParameterValue: value }]
  if (presence === 'optional') return []
  throw new ConfigurationError(`Parameter ${name} must be specified for the ${type} processor`)
}

function checkExtensions(type: string, given: ReadonlyMap<string, string>): void {
  if (type === 'SQL') {
    throw new ConfigurationError('SQL is no processor of AWS, and strictAws is set')
  }
  if (given.get('SubRecordType') === 'KPL') {
    throw new ConfigurationError('KPL is no SubRecordType of AWS, and strictAws is set')
  }
}

function checkDelimiter(given: ReadonlyMap<string, string>): void {
  const isDelimited = given.get('SubRecordType') === 'DELIMITED'
  if (isDelimited === given.has('Delimiter')) return
  throw new ConfigurationError(
    isDelimited
      ? 'Parameter Delimiter must be specified for the RecordDeAggregation processor when SubRecordType is DELIMITED'
      : 'Parameter Delimiter can only be specified for the RecordDeAggregation processor when SubRecordType is DELIMITED',
  )
}

function required(name: string, values: Values): ParameterRule {
  return { name, values, presence: 'required' }
}

function optional(name: string, values: Values): ParameterRule {
  return { name, values, presence: 'optional' }
}

function defaulted(
  name: string,
  values: Values,
  presence: (rules: ProcessingRules) => string,
): ParameterRule {
  return { name, values, presence }
}

function oneOf(...values: readonly string[]): Values {
  return { includes: (value) => values.includes(value), expected: values.join(' or ') }
}

function matching(pattern: RegExp, expected: string): Values {
  return { includes: (value) => pattern.test(value), expected }
}

function integer(min: number, max: number): Values {
  return within(/^\d{1,9}$/, min, max, `an integer between ${min} and ${max}`)
}

function decimal(min: number, max: number): Values {
  return within(/^\d{1,9}(?:\.\d{1,9})?$/, min, max, `a number between ${min} and ${max}`)
}

function within(pattern: RegExp, min: number, max: number, expected: string): Values {
  const includes = (value: string): boolean =>
    pattern.test(value) && Number(value) >= min && Number(value) <= max
  return { includes, expected }
}

/** Of one byte or more, in the standard alphabet and padded. */
function isBase64(value: string): boolean {
  return value !== '' && Buffer.from(value, 'base64').toString('base64') === value
}
