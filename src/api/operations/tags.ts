/** Tags of a stream: at most 50, in lexical order of their keys, the last of equal keys counts. */
import { strict as assert } from 'node:assert'
import { isJsonObject } from '../../base/json.ts'
import type { Json } from '../../base/json.ts'
import type { Tag } from '../../delivery-stream.ts'
import { RETENTION_TAG } from '../../delivery-stream.ts'
import { ApiError, invalidArgument } from '../exceptions.ts'

const TAG_COUNT_MAX = 50
const RETENTION_HOURS_MAX = 8_760

/** The tags of an input, which the model has checked. */
export function tagsOf(value: Json | undefined): readonly Tag[] {
  if (value === undefined) return []
  assert(Array.isArray(value), 'the model says that tags are a list')
  return value.map(tagOf)
}

function tagOf(value: Json): Tag {
  assert(isJsonObject(value), 'the model says that a tag is a structure')
  const { Key, Value } = value
  assert(typeof Key === 'string', 'the model requires a key')
  return typeof Value === 'string' ? { Key, Value } : { Key }
}

/** @throws ApiError LimitExceededException or InvalidArgumentException */
export function mergeTags(current: readonly Tag[], added: readonly Tag[]): readonly Tag[] {
  for (const tag of added) checkRetention(tag)
  const byKey = new Map([...current, ...added].map((tag) => [tag.Key, tag]))
  if (byKey.size > TAG_COUNT_MAX) {
    throw new ApiError(
      'LimitExceededException',
      `A Firehose can have at most ${TAG_COUNT_MAX} tags, not ${byKey.size}`,
    )
  }
  return [...byKey.values()].toSorted((a, b) => (a.Key < b.Key ? -1 : 1))
}

function checkRetention({ Key, Value = '' }: Tag): void {
  if (Key !== RETENTION_TAG) return
  const hours = /^\d+(\.\d+)?$/.test(Value) ? Number(Value) : Number.NaN
  if (hours >= 1 && hours <= RETENTION_HOURS_MAX) return
  throw invalidArgument(`Tag ${RETENTION_TAG} must be a number from 1 to ${RETENTION_HOURS_MAX}`)
}
