/**
 * The audit trail: one line of JSON for each control operation, in the shape of CloudTrail's
 * records, whether it was done, refused or denied. Puts are not in it; there would be millions.
 */
import { isJsonObject } from '../base/json.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { ApiContext } from './context.ts'
import { ApiError } from './exceptions.ts'
import { sensitiveMembers } from './model/model.ts'
import type { Caller } from './operation.ts'
import { makeUuid } from '../base/uuid.ts'

/** Where events go: a file, as a rule. */
export interface AuditTrail {
  /** Writes the event as one line. Reports its own failures and never throws: the deed is done. */
  record(event: JsonObject): void
}

export interface AuditedCall {
  readonly caller: Caller
  /** Name of the operation or, for a route of our own, of its action. */
  readonly eventName: string
  /** `firehose.amazonaws.com` or, for routes of our own, `standpipe`. */
  readonly eventSource: string
  /** As it came, not checked; undefined when it couldn't be read. */
  readonly input: JsonObject | undefined
  /** What was answered; an error when the call failed. */
  readonly outcome: JsonObject | Error
}

const MASK = 'HIDDEN_DUE_TO_SECURITY_REASONS'
/** CloudTrail's own limit. */
const PARAMETERS_LENGTH_MAX = 100_000

/** What AWS marks in its model, and what it should have. In lower case: a misspelt name hides too. */
const SECRET_MEMBERS = new Set(
  [...sensitiveMembers(), 'HECToken'].map((member) => member.toLowerCase()),
)

export function makeAuditEvent(
  call: AuditedCall,
  { accountId, region, clock }: Pick<ApiContext, 'accountId' | 'region' | 'clock'>,
): JsonObject {
  const { caller, outcome } = call
  return {
    eventVersion: '1.08',
    userIdentity: identityOf(caller, accountId),
    eventTime: `${new Date(clock.nowMs()).toISOString().slice(0, 19)}Z`,
    eventSource: call.eventSource,
    eventName: call.eventName,
    awsRegion: region,
    sourceIPAddress: caller.sourceAddress,
    userAgent: caller.userAgent,
    ...errorOf(outcome),
    requestParameters: parametersOf(call.input),
    responseElements: outcome instanceof Error ? null : responseElementsOf(call.eventName, outcome),
    requestID: caller.requestId,
    eventID: makeUuid(clock),
    readOnly: isReadOnly(call.eventName),
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: accountId,
  }
}

function identityOf({ accessKeyId, arn }: Caller, accountId: string): JsonObject {
  if (accessKeyId === undefined) return { type: 'Unknown', accountId }
  return {
    type: 'IAMUser',
    principalId: accessKeyId,
    arn,
    accountId,
    accessKeyId,
    userName: accessKeyId,
  }
}

function errorOf(outcome: JsonObject | Error): JsonObject {
  if (!(outcome instanceof Error)) return {}
  // What went wrong inside is for the log; the trail says what the caller was told.
  if (!(outcome instanceof ApiError)) return { errorCode: 'InternalFailure' }
  return { errorCode: outcome.type, errorMessage: outcome.message }
}

function parametersOf(input: JsonObject | undefined): Json {
  if (input === undefined) return null
  const parameters = toTrailForm(input)
  if (JSON.stringify(parameters).length <= PARAMETERS_LENGTH_MAX) return parameters
  return { omitted: `longer than ${PARAMETERS_LENGTH_MAX} characters` }
}

/** As CloudTrail does, answers of operations that only read are not recorded. */
function responseElementsOf(eventName: string, output: JsonObject): Json {
  if (isReadOnly(eventName) || Object.keys(output).length === 0) return null
  return toTrailForm(output)
}

function isReadOnly(eventName: string): boolean {
  return /^(?:Describe|Get|List)/.test(eventName)
}

/** Members in lower camel case, secrets masked. The depth was bounded when the body was parsed. */
function toTrailForm(value: Json): Json {
  if (Array.isArray(value)) return value.map((element: Json) => toTrailForm(element))
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([member, memberValue = null]) => [
      member.charAt(0).toLowerCase() + member.slice(1),
      SECRET_MEMBERS.has(member.toLowerCase()) ? MASK : toTrailForm(memberValue),
    ]),
  )
}
