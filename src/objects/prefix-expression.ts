/**
 * The language of Firehose's custom prefixes: text with expressions `!{namespace:value}`, evaluated
 * for each object. `!{` appears only where an expression begins, and the first `}` ends it.
 *
 *   timestamp:<Java DateTimeFormatter pattern>    when the oldest record arrived, in whole seconds
 *   firehose:random-string                        11 characters, different in each instance
 *   firehose:error-output-type                    e.g. `processing-failed`
 *   partitionKeyFromQuery:<key>                   what the jq query found in the records
 *   partitionKeyFromLambda:<key>                  what the function said
 *
 * The random string is made of a-z and 0-9. The manual's sample is the head of a UUID, hyphen and
 * all, and observers saw letters and digits only: this is what both have in common. It is derived
 * from the batch, so that a repeat comes to the same key.
 */
import { strict as assert } from 'node:assert'
import type { BatchId } from '../batch.ts'
import { ConfigurationError } from '../destination.ts'
import type { PartitionKeys } from '../partition.ts'
import { compileDatePattern } from './date-pattern.ts'
import { derivedBytes } from './derived-bytes.ts'

/** The object that a prefix is evaluated for. */
export interface PrefixSubject {
  readonly batchId: BatchId
  /** Place of the output within its batch. */
  readonly outputIndex: number
  /** Arrival of the oldest record. */
  readonly arrivalMs: number
  /** Required by prefixes that hold error-output-type. */
  readonly errorOutputType?: string
  /** Required by prefixes that hold partition keys. */
  readonly partitionKeys?: PartitionKeys
}

export type Prefix = (subject: PrefixSubject) => string

export interface Expression {
  readonly namespace: 'timestamp' | 'firehose' | 'partitionKeyFromQuery' | 'partitionKeyFromLambda'
  readonly value: string
}

/** Literal text and expressions, in order. */
export type PrefixParts = readonly (string | Expression)[]

const RANDOM_STRING_LENGTH = 11

/** @throws ConfigurationError */
export function parsePrefix(text: string): PrefixParts {
  const [literal = '', ...rest] = text.split('!{')
  const parts = rest.flatMap((piece) => {
    const end = piece.indexOf('}')
    if (end === -1 || !piece.slice(0, end).includes(':')) {
      throw new ConfigurationError(
        `Invalid prefix '${text}': !{ can only appear in expressions of the form !{namespace:value}`,
      )
    }
    return [parseExpression(piece.slice(0, end)), piece.slice(end + 1)]
  })
  return [literal, ...parts].filter((part) => part !== '')
}

function parseExpression(text: string): Expression {
  const namespace = text.slice(0, text.indexOf(':'))
  const value = text.slice(namespace.length + 1)
  switch (namespace) {
    case 'timestamp':
      return { namespace, value }
    case 'firehose':
      if (value !== 'random-string' && value !== 'error-output-type') break
      return { namespace, value }
    case 'partitionKeyFromQuery':
    case 'partitionKeyFromLambda':
      if (value === '') break
      return { namespace, value }
  }
  throw new ConfigurationError(`Invalid prefix expression !{${text}}`)
}

/** @throws ConfigurationError for a pattern or zone that is none */
export function compilePrefix(parts: PrefixParts, timeZone: string): Prefix {
  const compiled = parts.map((part, index) => compilePart(part, index, timeZone))
  return (subject) => compiled.map((evaluate) => evaluate(subject)).join('')
}

function compilePart(part: string | Expression, index: number, timeZone: string): Prefix {
  if (typeof part === 'string') return () => part
  const { namespace, value } = part
  if (namespace === 'timestamp') {
    const format = compileDatePattern(value, timeZone)
    return ({ arrivalMs }) => format(arrivalMs)
  }
  if (namespace === 'firehose') {
    if (value === 'random-string') return (subject) => randomString(subject, index)
    return ({ errorOutputType }) => present(errorOutputType, value)
  }
  const origin = namespace === 'partitionKeyFromQuery' ? 'query' : 'lambda'
  return ({ partitionKeys }) => present(partitionKeys?.[origin].get(value), value)
}

/** Whoever evaluates a prefix gives all that it holds; a record without a key never gets this far. */
function present(value: string | undefined, name: string): string {
  assert(value !== undefined, `no value for ${name} in a prefix`)
  return value
}

function randomString({ batchId, outputIndex }: PrefixSubject, index: number): string {
  const bytes = derivedBytes(batchId, 'random-string', outputIndex, index)
  const text = bytes.readBigUInt64BE().toString(36).padStart(RANDOM_STRING_LENGTH, '0')
  // The last digits: the first of 64 bits in base 36 are not evenly spread.
  return text.slice(-RANDOM_STRING_LENGTH)
}
