/**
 * The conditions of a policy statement.
 *
 * - All operators of a condition and all keys of an operator must hold; of a key's values, one.
 * - A key that the request hasn't: an operator fails, a negated one holds, and so does one with
 *   IfExists.
 * - aws:TagKeys has many values and needs ForAllValues (holds for none at all) or ForAnyValue; the
 *   other keys have one value and take neither.
 * - Names of keys, the tag's included, are compared without regard to case, as IAM does.
 */
import { PolicyError } from './policy-error.ts'
import { compileWildcard } from './wildcard.ts'
import type { WildcardTest } from './wildcard.ts'

/** Values by tag key. */
export type Tags = ReadonlyMap<string, string>

export interface RequestTags {
  /** Tags that the request would set. */
  readonly requestTags: Tags
  /** Keys of tags that the request would set or remove. */
  readonly tagKeys: readonly string[]
  /** Tags of the resource as it is. */
  readonly resourceTags: Tags
}

export type ConditionTest = (request: RequestTags) => boolean

interface Comparison {
  readonly negated: boolean
  readonly compile: (expected: string) => WildcardTest
}

const equals =
  (expected: string): WildcardTest =>
  (text) =>
    text === expected
const equalsIgnoreCase =
  (expected: string): WildcardTest =>
  (text) =>
    text.toLowerCase() === expected.toLowerCase()

const COMPARISONS: ReadonlyMap<string, Comparison> = new Map([
  ['StringEquals', { negated: false, compile: equals }],
  ['StringNotEquals', { negated: true, compile: equals }],
  ['StringEqualsIgnoreCase', { negated: false, compile: equalsIgnoreCase }],
  ['StringNotEqualsIgnoreCase', { negated: true, compile: equalsIgnoreCase }],
  ['StringLike', { negated: false, compile: (expected) => compileWildcard(expected) }],
  ['StringNotLike', { negated: true, compile: (expected) => compileWildcard(expected) }],
])

const OPERATOR_PATTERN = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/

interface Operator extends Comparison {
  readonly quantifier: 'ForAllValues' | 'ForAnyValue' | undefined
  readonly ifExists: boolean
}

/**
 * @param condition expected values by key by operator
 * @throws PolicyError for operators and keys that Standpipe has not
 */
export function compileConditions(
  condition: Readonly<Record<string, Readonly<Record<string, string | string[]>>>>,
): ConditionTest {
  const tests = Object.entries(condition).flatMap(([operatorName, expectedByKey]) => {
    const operator = parseOperator(operatorName)
    return Object.entries(expectedByKey).map(([key, expected]) =>
      compileTest(operator, operatorName, key, [expected].flat()),
    )
  })
  return (request) => tests.every((holds) => holds(request))
}

function parseOperator(name: string): Operator {
  const [, quantifier, comparisonName = '', ifExists] = OPERATOR_PATTERN.exec(name) ?? []
  const comparison = COMPARISONS.get(comparisonName)
  if (comparison === undefined) {
    throw new PolicyError(`Cannot use the condition operator ${name}: it is not supported`)
  }
  return {
    ...comparison,
    quantifier: quantifier as Operator['quantifier'],
    ifExists: ifExists !== undefined,
  }
}

function compileTest(
  operator: Operator,
  operatorName: string,
  key: string,
  expected: readonly string[],
): ConditionTest {
  const tests = expected.map(operator.compile)
  const holds = (value: string) => tests.some((matches) => matches(value)) !== operator.negated
  const isTagKeys = key.toLowerCase() === 'aws:tagkeys'
  if (isTagKeys !== (operator.quantifier !== undefined)) {
    const rule = 'aws:TagKeys, and no other key, needs ForAllValues or ForAnyValue'
    throw new PolicyError(`Cannot use ${operatorName} with ${key}: ${rule}`)
  }
  if (operator.quantifier === 'ForAllValues') return ({ tagKeys }) => tagKeys.every(holds)
  if (operator.quantifier === 'ForAnyValue') return ({ tagKeys }) => tagKeys.some(holds)
  const read = compileKey(key)
  const holdsWhenAbsent = operator.negated || operator.ifExists
  return (request) => {
    const value = read(request)
    return value === undefined ? holdsWhenAbsent : holds(value)
  }
}

/** What a key says of a request. */
function compileKey(key: string): (request: RequestTags) => string | undefined {
  const [, kind, tagKey = ''] = /^aws:(RequestTag|ResourceTag)\/(.+)$/is.exec(key) ?? []
  switch (kind?.toLowerCase()) {
    case 'requesttag':
      return ({ requestTags }) => findTag(requestTags, tagKey)
    case 'resourcetag':
      return ({ resourceTags }) => findTag(resourceTags, tagKey)
    default:
      throw new PolicyError(`Cannot use the condition key ${key}: it is not supported`)
  }
}

function findTag(tags: Tags, tagKey: string): string | undefined {
  const exact = tags.get(tagKey)
  if (exact !== undefined) return exact
  const folded = tagKey.toLowerCase()
  return [...tags].find(([key]) => key.toLowerCase() === folded)?.[1]
}
