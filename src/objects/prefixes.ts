/**
 * The rules by which an S3 configuration's Prefix and ErrorOutputPrefix go together.
 *
 * - A Prefix without a timestamp expression gets `yyyy/MM/dd/HH/` appended as it is, with no slash
 *   between; also when it holds other expressions (so the manual; observers disagree).
 * - A Prefix with expressions requires an ErrorOutputPrefix; an ErrorOutputPrefix with expressions
 *   requires error-output-type among them. Nothing is ever appended to an ErrorOutputPrefix.
 * - Without an ErrorOutputPrefix, errors go under `<Prefix><error-output-type>/yyyy/MM/dd/HH/`.
 * - error-output-type is for the ErrorOutputPrefix; partition keys are for the Prefix, and only with
 *   dynamic partitioning.
 * - Each evaluates to at most 512 characters; what is appended does not count. Nobody knows how long
 *   partition keys are before there are records, so that they count as one character each here.
 * - An empty prefix is as good as none.
 */
import { BATCH_ID_LENGTH } from '../batch.ts'
import { ConfigurationError } from '../destination.ts'
import type { PartitionKeys } from '../partition.ts'
import { SAMPLE_INSTANTS_MS } from './date-pattern.ts'
import { PREFIX_BYTES_MAX } from './object-key.ts'
import type { Expression, Prefix, PrefixParts } from './prefix-expression.ts'
import { compilePrefix, parsePrefix } from './prefix-expression.ts'

export interface PrefixConfiguration {
  readonly Prefix?: string
  readonly ErrorOutputPrefix?: string
  /** An IANA zone, or `UTC`. */
  readonly timeZone: string
  readonly dynamicPartitioning: boolean
}

export interface ParsedPrefixes {
  readonly prefix: PrefixParts
  readonly errorOutputPrefix: PrefixParts
}

export interface Prefixes {
  readonly prefix: Prefix
  readonly errorOutputPrefix: Prefix
}

/** In UTF-16 units, as Java counts. */
export const EVALUATED_LENGTH_MAX = 512

const DATE_SUFFIX: Expression = { namespace: 'timestamp', value: 'yyyy/MM/dd/HH/' }
const ERROR_OUTPUT_TYPE: Expression = { namespace: 'firehose', value: 'error-output-type' }
const LONGEST_ERROR_OUTPUT_TYPE = 'AmazonOpenSearchService-failed'
const APPENDED_BYTES_MAX = Buffer.byteLength(`${LONGEST_ERROR_OUTPUT_TYPE}/yyyy/MM/dd/HH/`)

/** @throws ConfigurationError */
export function compilePrefixes(configuration: PrefixConfiguration): Prefixes {
  const { timeZone } = configuration
  const parts = parsePrefix(configuration.Prefix ?? '')
  const errorParts = parsePrefix(configuration.ErrorOutputPrefix ?? '')
  checkPrefix(parts, configuration.dynamicPartitioning)
  checkErrorOutputPrefix(errorParts, parts)
  checkEvaluatedLength('Prefix', parts, timeZone)
  checkEvaluatedLength('ErrorOutputPrefix', errorParts, timeZone)
  const { prefix, errorOutputPrefix } = completed(parts, errorParts)
  return {
    prefix: compilePrefix(prefix, timeZone),
    errorOutputPrefix: compilePrefix(errorOutputPrefix, timeZone),
  }
}

/** What compilePrefixes compiles; of a configuration that it took. */
export function parsePrefixes({
  Prefix = '',
  ErrorOutputPrefix = '',
}: Pick<PrefixConfiguration, 'Prefix' | 'ErrorOutputPrefix'>): ParsedPrefixes {
  return completed(parsePrefix(Prefix), parsePrefix(ErrorOutputPrefix))
}

function completed(parts: PrefixParts, errorParts: PrefixParts): ParsedPrefixes {
  const isDated = expressionsOf(parts).some(({ namespace }) => namespace === 'timestamp')
  return {
    prefix: isDated ? parts : [...parts, DATE_SUFFIX],
    errorOutputPrefix:
      errorParts.length > 0 ? errorParts : [...parts, ERROR_OUTPUT_TYPE, '/', DATE_SUFFIX],
  }
}

function checkPrefix(parts: PrefixParts, dynamicPartitioning: boolean): void {
  const expressions = expressionsOf(parts)
  if (expressions.some(isErrorOutputType)) {
    throw new ConfigurationError('Prefix cannot contain !{firehose:error-output-type}')
  }
  if (!dynamicPartitioning && expressions.some(isPartitionKey)) {
    throw new ConfigurationError(
      'Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled.',
    )
  }
}

function checkErrorOutputPrefix(errorParts: PrefixParts, parts: PrefixParts): void {
  const expressions = expressionsOf(errorParts)
  if (errorParts.length === 0 && expressionsOf(parts).length > 0) {
    throw new ConfigurationError(
      'ErrorOutputPrefix cannot be null or empty when Prefix contains expressions',
    )
  }
  if (expressions.some(isPartitionKey)) {
    throw new ConfigurationError('ErrorOutputPrefix cannot contain Dynamic Partitioning Namespaces')
  }
  if (expressions.length > 0 && !expressions.some(isErrorOutputType)) {
    throw new ConfigurationError(
      'ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}',
    )
  }
}

function checkEvaluatedLength(member: string, parts: PrefixParts, timeZone: string): void {
  const prefix = compilePrefix(parts, timeZone)
  for (const evaluated of sampleEvaluations(prefix)) {
    if (evaluated.length > EVALUATED_LENGTH_MAX) {
      throw new ConfigurationError(
        `${member} cannot be greater than ${EVALUATED_LENGTH_MAX} characters after it is evaluated`,
      )
    }
    if (Buffer.byteLength(evaluated) + APPENDED_BYTES_MAX > PREFIX_BYTES_MAX) {
      throw new ConfigurationError(`${member} leaves no room for an object's name within S3's keys`)
    }
  }
}

/** Values for keys of any names. */
class OneCharacterEach extends Map<string, string> {
  override get(): string {
    return 'x'
  }
}

/** For these, a prefix is as wide as it gets, but for partition keys, which are one character each. */
export const SAMPLE_SUBJECTS = SAMPLE_INSTANTS_MS.map((arrivalMs) => ({
  batchId: '0'.repeat(BATCH_ID_LENGTH),
  outputIndex: 0,
  arrivalMs,
  errorOutputType: LONGEST_ERROR_OUTPUT_TYPE,
  partitionKeys: {
    query: new OneCharacterEach(),
    lambda: new OneCharacterEach(),
  } satisfies PartitionKeys,
}))

export function sampleEvaluations(prefix: Prefix): readonly string[] {
  return SAMPLE_SUBJECTS.map((subject) => prefix(subject))
}

function expressionsOf(parts: PrefixParts): readonly Expression[] {
  return parts.filter((part) => typeof part !== 'string')
}

function isErrorOutputType({ namespace, value }: Expression): boolean {
  return namespace === 'firehose' && value === ERROR_OUTPUT_TYPE.value
}

function isPartitionKey({ namespace }: Expression): boolean {
  return namespace === 'partitionKeyFromQuery' || namespace === 'partitionKeyFromLambda'
}
