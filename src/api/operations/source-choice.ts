/** Where a delivery stream's records come from: producers, who put them, or a source that is read. */
import { strict as assert } from 'node:assert'
import { isDeepStrictEqual } from 'node:util'
import { isJsonObject } from '../../base/json.ts'
import type { JsonObject } from '../../base/json.ts'
import type { DeliveryStream, SourceTypeName } from '../../delivery-stream.ts'
import type { SourceType } from '../../source.ts'
import type { ApiContext } from '../context.ts'
import { invalidArgument } from '../exceptions.ts'
import { NEW_MEMBERS } from '../model/extensions.ts'
import { answerFor } from './configuration-answer.ts'

const DIRECT_PUT = 'DirectPut'
const DIRECT_PUT_MEMBER = 'DirectPutSourceConfiguration'
const MEMBER_SUFFIX = 'SourceConfiguration'
const DATABASE = 'DatabaseAsSource'
const DATABASE_MEMBER = 'DatabaseSourceConfiguration'

/** What AWS calls a member and its type in the errors below, where it has other names for them. */
const AWS_WORDS = new Map<string, readonly [member: string, type: string]>([
  ['KinesisStreamSourceConfiguration', ['KinesisSourceStreamConfig', 'KinesisStreamAsSource']],
  ['MSKSourceConfiguration', ['MSKSourceConfig', 'MSK as Source']],
])

export interface SourceChoice {
  readonly type: SourceType
  readonly configuration: JsonObject
}

/**
 * The source that a create request names; undefined: records are put.
 * @throws ApiError InvalidArgumentException for a type and a configuration that don't match, and for a
 *   source that isn't built
 */
export function chooseSource(input: JsonObject, { sources }: ApiContext): SourceChoice | undefined {
  const typeName = input['DeliveryStreamType'] ?? DIRECT_PUT
  if (typeName === DATABASE || input[DATABASE_MEMBER] !== undefined) {
    const known = [DIRECT_PUT, ...sources.keys()].join(', ')
    throw invalidArgument(
      `${DATABASE} is not supported: Standpipe does not read databases, only ${known}`,
    )
  }
  const type = [...sources.values()].find(({ name }) => name === typeName)
  assert(type !== undefined || typeName === DIRECT_PUT, 'the model knows the types')
  const own = type?.configurationMember ?? DIRECT_PUT_MEMBER
  const misplaced = Object.keys(input).find(
    (member) => member.endsWith(MEMBER_SUFFIX) && member !== own,
  )
  if (misplaced !== undefined) throw notApplicable(misplaced, sources)
  if (type === undefined) return undefined
  const configuration = input[own]
  if (!isJsonObject(configuration)) throw missing(type)
  return { type, configuration }
}

/**
 * The stored form of a chosen source.
 * @param createdAtMs of the stream: what is read begins there by default
 * @throws ApiError InvalidArgumentException
 */
export function newSource(
  { type, configuration }: SourceChoice,
  createdAtMs: number,
  context: ApiContext,
): JsonObject {
  if (context.configuration.strictAws) refuseExtensions(type.configurationMember, configuration)
  return answerFor(() => type.create(configuration, createdAtMs, context.configuration))
}

function refuseExtensions(member: string, configuration: JsonObject): void {
  const extensions = NEW_MEMBERS[member] ?? {}
  const extension = Object.keys(configuration).find((name) => Object.hasOwn(extensions, name))
  if (extension === undefined) return
  throw invalidArgument(`${extension} is no member of AWS's ${member}, and strictAws is set`)
}

/**
 * A stream keeps its source for ever. What is not said of it is as it was when the stream was created,
 * so that the same declaration means the same source at every start.
 * @throws ApiError InvalidArgumentException unless it is the source that the stream has
 */
export function requireSameSource(
  stream: DeliveryStream,
  choice: SourceChoice | undefined,
  context: ApiContext,
): void {
  const isSameType = stream.type === (choice?.type.name ?? DIRECT_PUT)
  const source = choice && newSource(choice, stream.createdAtMs, context)
  if (isSameType && isDeepStrictEqual(source, stream.source)) return
  throw invalidArgument(
    `Changing the source of ${stream.name} is not supported: ` +
      'delete the delivery stream and create it anew',
  )
}

/** `Source` of a description; a DirectPut stream has one when its creator gave a hint. */
export function describeSource(
  { type, source, throughputHintInMBs }: DeliveryStream,
  { sources }: ApiContext,
): JsonObject | undefined {
  if (type === DIRECT_PUT) {
    if (throughputHintInMBs === undefined) return undefined
    return { DirectPutSourceDescription: { ThroughputHintInMBs: throughputHintInMBs } }
  }
  const sourceType = sources.get(type)
  assert(sourceType !== undefined && source !== undefined, `the source type ${type} is known`)
  return sourceType.describe(source)
}

/** Between 1 and 100 by the model. */
export function throughputHintOf(input: JsonObject): number | undefined {
  const source = input[DIRECT_PUT_MEMBER]
  if (!isJsonObject(source)) return undefined
  const hint = source['ThroughputHintInMBs']
  assert(typeof hint === 'number', 'the model requires it')
  return hint
}

function missing({ name, configurationMember }: SourceType): Error {
  const [member, type] = AWS_WORDS.get(configurationMember) ?? [configurationMember, name]
  return invalidArgument(`${member} is mandatory for ${type} stream type.`)
}

/** AWS lets some of these pass and ignores them. */
function notApplicable(misplaced: string, sources: ReadonlyMap<SourceTypeName, SourceType>): Error {
  const owner = [...sources.values()].find(
    ({ configurationMember }) => configurationMember === misplaced,
  )
  const [member, type] = AWS_WORDS.get(misplaced) ?? [misplaced, owner?.name ?? DIRECT_PUT]
  return invalidArgument(`${member} is only applicable for ${type} stream type.`)
}
