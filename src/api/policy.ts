/**
 * IAM-style policy statements, the part of the language that can say something here. A statement
 * that uses anything else is refused when it is loaded: what an operator wrote is never accepted
 * and then ignored.
 *
 * A request is allowed when some statement allows it and none denies it. A statement applies when
 * one of its actions, one of its resources and all of its conditions match.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { OPERATION_INPUTS } from './model/model.ts'
import { compileConditions } from './policy-conditions.ts'
import type { RequestTags } from './policy-conditions.ts'
import { PolicyError } from './policy-error.ts'
import { compileWildcard } from './wildcard.ts'
import type { WildcardTest } from './wildcard.ts'

const OneOrMore = Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })])

export const PolicyStatement = Type.Object(
  {
    Sid: Type.Optional(Type.String()),
    Effect: Type.Union([Type.Literal('Allow'), Type.Literal('Deny')]),
    Action: OneOrMore,
    Resource: OneOrMore,
    Condition: Type.Optional(Type.Record(Type.String(), Type.Record(Type.String(), OneOrMore))),
  },
  { additionalProperties: false, description: "A policy statement in IAM's spelling." },
)
export type PolicyStatement = Static<typeof PolicyStatement>

export interface PolicyRequest extends RequestTags {
  /** e.g. `firehose:PutRecord`. */
  readonly action: string
  /** ARN of a delivery stream, or `*` for what concerns no single one. */
  readonly resource: string
}

export type Decision = 'allowed' | 'denied explicitly' | 'not allowed'
export type Policy = (request: PolicyRequest) => Decision

export const allowEverything: Policy = () => 'allowed'

interface CompiledStatement {
  readonly effect: 'Allow' | 'Deny'
  applies(request: PolicyRequest): boolean
}

/** @throws PolicyError for what is malformed, and for what IAM has and Standpipe has not */
export function compilePolicy(statements: readonly unknown[]): Policy {
  const compiled = statements.map(compileStatement)
  const denials = compiled.filter(({ effect }) => effect === 'Deny')
  const permissions = compiled.filter(({ effect }) => effect === 'Allow')
  return (request) => {
    if (denials.some((statement) => statement.applies(request))) return 'denied explicitly'
    return permissions.some((statement) => statement.applies(request)) ? 'allowed' : 'not allowed'
  }
}

function compileStatement(statement: unknown): CompiledStatement {
  if (!Value.Check(PolicyStatement, statement)) {
    const [first] = Value.Errors(PolicyStatement, statement)
    throw new PolicyError(`Cannot use a statement: ${first?.instancePath ?? ''} ${first?.message}`)
  }
  const actions = listOf(statement.Action).map(compileAction)
  const resources = listOf(statement.Resource).map(compileResource)
  const conditionsHold = compileConditions(statement.Condition ?? {})
  return {
    effect: statement.Effect,
    applies: (request) =>
      actions.some((matches) => matches(request.action)) &&
      resources.some((matches) => matches(request.resource)) &&
      conditionsHold(request),
  }
}

/** A misspelt action would never match: a Deny that denies nothing. */
function compileAction(pattern: string): WildcardTest {
  const matches = compileWildcard(pattern, { ignoreCase: true })
  const known = [...OPERATION_INPUTS.keys()].some((name) => matches(`firehose:${name}`))
  // The actions of our own routes are not all known here.
  if (known || /^standpipe:[\w*?]+$/i.test(pattern)) return matches
  throw new PolicyError(`Cannot use the action ${pattern}: no operation of Firehose matches`)
}

function compileResource(pattern: string): WildcardTest {
  if (pattern !== '*' && !pattern.startsWith('arn:')) {
    throw new PolicyError(`Cannot use the resource ${pattern}: neither an ARN nor *`)
  }
  return compileWildcard(pattern)
}

function listOf<T>(value: T | T[]): readonly T[] {
  return Array.isArray(value) ? value : [value]
}
