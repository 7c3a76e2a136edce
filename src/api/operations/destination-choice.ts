/** Which destination a request means, and what that destination makes of its configuration. */
import { strict as assert } from 'node:assert'
import { isJsonObject } from '../../base/json.ts'
import type { JsonObject } from '../../base/json.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import type { DestinationType } from '../../destination.ts'
import type { ApiContext } from '../context.ts'
import { invalidArgument } from '../exceptions.ts'
import { answerFor, asAnswer } from './configuration-answer.ts'

/** Destinations of AWS that are not going to be built, by what their members begin with. */
const NOT_DELIVERED_TO: readonly (readonly [prefix: string, name: string])[] = [
  ['Iceberg', 'Apache Iceberg tables'],
  ['Snowflake', 'Snowflake'],
]

export interface DestinationChoice {
  /** e.g. `ExtendedS3DestinationConfiguration`. */
  readonly member: string
  readonly configuration: JsonObject
  readonly type: DestinationType
}

/**
 * The one destination that a create request configures.
 * @throws ApiError InvalidArgumentException, also for a destination that isn't built
 */
export function chooseDestination(input: JsonObject, context: ApiContext): DestinationChoice {
  return choose(input, 'DestinationConfiguration', (type) => type.configurationMembers, context)
}

/**
 * The one destination that an update request configures.
 * @throws ApiError InvalidArgumentException, also for a destination that isn't built
 */
export function chooseUpdate(input: JsonObject, context: ApiContext): DestinationChoice {
  return choose(input, 'DestinationUpdate', (type) => type.updateMembers, context)
}

function choose(
  input: JsonObject,
  suffix: string,
  membersOf: (type: DestinationType) => readonly string[],
  { destinations }: ApiContext,
): DestinationChoice {
  const chosen = Object.entries(input).filter(([member]) => member.endsWith(suffix))
  const [first, second] = chosen
  if (first === undefined || second !== undefined) {
    throw invalidArgument('Exactly one destination configuration is supported for a Firehose')
  }
  const [member, configuration] = first
  assert(isJsonObject(configuration), 'the model says that a destination is a structure')
  const types = [...destinations.values()]
  const type = types.find((candidate) => membersOf(candidate).includes(member))
  if (type !== undefined) return { member, configuration, type }
  const supported = types.flatMap(membersOf).toSorted().join(', ')
  const refused = NOT_DELIVERED_TO.find(([prefix]) => member.startsWith(prefix))
  throw invalidArgument(
    refused === undefined
      ? `${member} is not supported by this version of Standpipe, only ${supported}`
      : `${member} is not supported: Standpipe does not deliver to ${refused[1]}, only ${supported}`,
  )
}

/** The stored form of a chosen destination. @throws ApiError InvalidArgumentException */
export function newDestination(choice: DestinationChoice, context: ApiContext): JsonObject {
  const { type, member, configuration } = choice
  return answerFor(() => type.create(member, configuration, context.configuration))
}

/**
 * The stored form of the stream's destination after an update.
 * @throws ApiError InvalidArgumentException
 */
export function updatedDestination(
  stream: DeliveryStream,
  { type, member, configuration }: DestinationChoice,
  context: ApiContext,
): JsonObject {
  requireSameType(stream, type)
  return answerFor(() =>
    type.update(stream.destination, member, configuration, context.configuration),
  )
}

/**
 * Whether the functions and tables that a stored destination names are there.
 * @throws ApiError InvalidArgumentException
 */
export async function requireProcessing(
  destination: JsonObject,
  context: ApiContext,
): Promise<void> {
  try {
    await context.checkProcessing(destination)
  } catch (error) {
    throw asAnswer(error)
  }
}

/** @throws ApiError InvalidArgumentException */
export function requireSameType(stream: DeliveryStream, type: DestinationType): void {
  if (type.name === stream.destinationType) return
  throw invalidArgument(
    `Changing the destination type to or from ${type.name} is not supported at this time.`,
  )
}

export function destinationTypeOf(stream: DeliveryStream, context: ApiContext): DestinationType {
  const type = context.destinations.get(stream.destinationType)
  assert(type !== undefined, `the stream's destination type ${stream.destinationType} is known`)
  return type
}
