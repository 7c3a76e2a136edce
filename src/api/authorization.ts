/** What a call asks for, in the terms of a policy: action, resource, tags. */
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import type { AccessKeys } from './access-keys.ts'
import type { ApiContext } from './context.ts'
import { OPERATION_INPUTS, shapeOf } from './model/model.ts'
import type { Caller } from './operation.ts'
import type { Tags } from './policy-conditions.ts'
import { streamArn } from './stream-arn.ts'

const NO_TAGS: Tags = new Map()

/**
 * Decides on calls before anything else is said about them: a caller who may not do it learns
 * nothing of the stream or of what is wrong with the input.
 */
export class Authorizer {
  readonly #keys: AccessKeys | undefined
  readonly #context: ApiContext

  /** @param keys undefined: everybody may do everything */
  constructor(keys: AccessKeys | undefined, context: ApiContext) {
    this.#keys = keys
    this.#context = context
  }

  /**
   * An operation of Firehose with an input that has not been checked yet.
   * @throws ApiError AccessDeniedException
   */
  authorizeOperation(caller: Caller, operationName: string, input: JsonObject): void {
    if (this.#keys === undefined) return
    const known = knownMembers(operationName, input)
    const streamName = ownString(known, 'DeliveryStreamName')
    const requestTags = readTags(known)
    const tagKeys = [...requestTags.keys(), ...readTagKeys(known)]
    this.#authorize(caller, `firehose:${operationName}`, streamName, requestTags, tagKeys)
    if (operationName === 'CreateDeliveryStream' && requestTags.size > 0) {
      this.#authorize(caller, 'firehose:TagDeliveryStream', streamName, requestTags, tagKeys)
    }
  }

  /**
   * An action upon a stream that sets no tags; without a stream's name, upon all of them.
   * @param action e.g. `firehose:PutRecord`
   * @throws ApiError AccessDeniedException
   */
  authorizeAction(caller: Caller, action: string, streamName: string | undefined): void {
    this.#authorize(caller, action, streamName, NO_TAGS, [])
  }

  #authorize(
    caller: Caller,
    action: string,
    streamName: string | undefined,
    requestTags: Tags,
    tagKeys: readonly string[],
  ): void {
    if (this.#keys === undefined) return
    this.#keys.authorize(caller, {
      action,
      resource: streamName === undefined ? '*' : streamArn(streamName, this.#context),
      requestTags,
      tagKeys,
      resourceTags: streamName === undefined ? NO_TAGS : this.#tagsOf(streamName),
    })
  }

  #tagsOf(streamName: string): Tags {
    const tags = this.#context.registry.find(streamName)?.tags ?? []
    return new Map(tags.map(({ Key, Value }) => [Key, Value ?? '']))
  }
}

/**
 * Only what the operation reads may decide: tags that are sent along with an operation that ignores
 * them would else meet a condition without being set.
 */
function knownMembers(operationName: string, input: JsonObject): JsonObject {
  const shape = shapeOf(OPERATION_INPUTS.get(operationName) ?? '')
  const isKnown = (member: string) => shape.type === 'structure' && shape.members.has(member)
  return Object.fromEntries(Object.entries(input).filter(([member]) => isKnown(member)))
}

function ownString(object: JsonObject, member: string): string | undefined {
  const value = Object.hasOwn(object, member) ? object[member] : undefined
  return typeof value === 'string' ? value : undefined
}

function ownList(object: JsonObject, member: string): readonly unknown[] {
  const value = Object.hasOwn(object, member) ? object[member] : undefined
  return Array.isArray(value) ? value : []
}

/** The last of equal keys counts, as it does when they are stored. */
function readTags(input: JsonObject): Tags {
  const tags = ownList(input, 'Tags').flatMap((tag): [string, string][] => {
    if (!isJsonObject(tag)) return []
    const key = ownString(tag, 'Key')
    return key === undefined ? [] : [[key, ownString(tag, 'Value') ?? '']]
  })
  return new Map(tags)
}

function readTagKeys(input: JsonObject): readonly string[] {
  return ownList(input, 'TagKeys').filter((key) => typeof key === 'string')
}
