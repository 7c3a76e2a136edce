/**
 * Delivery streams declared in the settings file, as properties of CloudFormation's
 * `AWS::KinesisFirehose::DeliveryStream`. Those are CreateDeliveryStream's members, spelled alike
 * (compared with the model: no exception), so that a declaration is checked and read like a request.
 *
 * A declaration is the whole truth about the destination, and about tags, encryption and the hint of
 * its throughput where it mentions them: what it does not mention is left as API clients have set it.
 * The source must be the one that the stream has.
 */
import { isDeepStrictEqual } from 'node:util'
import { isJsonObject } from '../../base/json.ts'
import type { Json, JsonObject } from '../../base/json.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import type { ApiContext } from '../context.ts'
import { invalidArgument } from '../exceptions.ts'
import { instantOf } from '../iso-8601.ts'
import { validateInput } from '../validation.ts'
import { createStream } from './create-delivery-stream.ts'
import { chooseDestination, newDestination, requireSameType } from './destination-choice.ts'
import { keyChoiceOf, requireEncryptable, startEncryption } from './encryption.ts'
import { streamNameOf } from './input-members.ts'
import { chooseSource, requireSameSource, throughputHintOf } from './source-choice.ts'
import { mergeTags, tagsOf } from './tags.ts'
import { changeDestination, sealIfUpdated, withDestination } from './update-destination.ts'

/**
 * Creates the stream, or makes it what the declaration says.
 * @throws ApiError ValidationException or InvalidArgumentException, also for unknown properties
 */
export async function declareStream(
  context: ApiContext,
  properties: JsonObject,
): Promise<'created' | 'updated' | 'unchanged'> {
  const input = checked(properties, context)
  const stream = context.registry.find(streamNameOf(input))
  if (stream !== undefined) return await updateStream(stream, input, context)
  await createStream(input, context)
  return 'created'
}

async function updateStream(
  before: DeliveryStream,
  input: JsonObject,
  context: ApiContext,
): Promise<'updated' | 'unchanged'> {
  requireSameSource(before, chooseSource(input, context), context)
  const encryptionInput = input['DeliveryStreamEncryptionConfigurationInput']
  if (encryptionInput !== undefined) requireEncryptable(before)
  const choice = chooseDestination(input, context)
  requireSameType(before, choice.type)
  const destination = newDestination(choice, context)
  const hint = throughputHintOf(input)
  const tags =
    input['Tags'] === undefined
      ? undefined
      : mergeTags({ type: before.type, tags: [] }, tagsOf(input['Tags']))
  const after = await changeDestination(context, before.name, (current) => {
    const updated = withDestination(current, destination, context)
    const declared = {
      ...updated,
      ...(tags === undefined ? {} : { tags }),
      ...(hint === undefined ? {} : { throughputHintInMBs: hint }),
    }
    return isDeepStrictEqual(declared, current) ? current : declared
  })
  await sealIfUpdated(after, before.versionId, context)
  const encrypted = await encrypt(after, encryptionInput, context)
  return encrypted || after.revision !== before.revision ? 'updated' : 'unchanged'
}

/** True when the stream was not encrypted as declared, and now is. */
async function encrypt(
  { name, encryption }: DeliveryStream,
  input: Json | undefined,
  context: ApiContext,
): Promise<boolean> {
  if (input === undefined) return false
  const choice = keyChoiceOf(input)
  const { status, keyType, keyArn } = encryption
  const isAsDeclared = keyType === choice.keyType && keyArn === choice.keyArn
  if (status === 'ENABLED' && isAsDeclared) return false
  await startEncryption(context, name, choice)
  return true
}

function checked(properties: JsonObject, { configuration }: ApiContext): JsonObject {
  // Unlike a request, a declaration may say that there are no tags.
  const { Tags, ...others } = properties
  const isUntagged = Array.isArray(Tags) && Tags.length === 0
  const declared = withSeconds(isUntagged ? others : properties)
  const input = validateInput('CreateDeliveryStream', declared, configuration)
  const unknown = unknownMember(declared, input, '')
  if (unknown !== undefined) throw invalidArgument(`Unknown property ${unknown}`)
  return isUntagged ? { ...input, Tags } : input
}

/** CloudFormation has times as text, in requests they are seconds since the epoch. */
function withSeconds(properties: JsonObject): JsonObject {
  const members = Object.entries(properties).map(([member, value]) => {
    if (!member.endsWith('SourceConfiguration') || !isJsonObject(value)) return [member, value]
    const source = Object.entries(value).map(([name, time]) => {
      const timeMs =
        name.endsWith('Timestamp') && typeof time === 'string' ? instantOf(time) : undefined
      return [name, timeMs === undefined ? time : timeMs / 1_000]
    })
    return [member, Object.fromEntries(source) as JsonObject]
  })
  return Object.fromEntries(members) as JsonObject
}

/** The first member that the check did not let through. Null is absent, not unknown. */
function unknownMember(declared: Json, known: Json | undefined, path: string): string | undefined {
  if (known === undefined) return declared === null ? undefined : path
  if (typeof declared !== 'object' || declared === null) return undefined
  const knownMembers = isJsonObject(known) || Array.isArray(known) ? Object.entries(known) : []
  const knownByName = new Map<string, Json | undefined>(knownMembers)
  for (const [name, value] of Object.entries(declared)) {
    const memberPath = path === '' ? name : `${path}.${name}`
    const unknown = unknownMember(value ?? null, knownByName.get(name), memberPath)
    if (unknown !== undefined) return unknown
  }
  return undefined
}
