/** Tags of a stream: at most 50, in lexical order of their keys, the last of equal keys counts. */
import { strict as assert } from 'node:assert'
import { isJsonObject } from '../../base/json.ts'
import type { Json } from '../../base/json.ts'
import type { DeliveryStream, Tag } from '../../delivery-stream.ts'
import { LANE_COUNT_MAX, LANES_TAG, RETENTION_TAG } from '../../delivery-stream.ts'
import { ApiError, invalidArgument } from '../exceptions.ts'

const TAG_COUNT_MAX = 50
/** Tags that are settings. */
const OWN_TAGS = new Map([
  [RETENTION_TAG, { form: /^\d+(\.\d+)?$/, most: 8_760, words: 'a number' }],
  [LANES_TAG, { form: /^\d+$/, most: LANE_COUNT_MAX, words: 'a whole number' }],
])

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

/**
 * The stream's tags with what is added.
 * @throws ApiError LimitExceededException or InvalidArgumentException
 */
export function mergeTags(
  { type, tags }: Pick<DeliveryStream, 'type' | 'tags'>,
  added: readonly Tag[],
): readonly Tag[] {
  for (const tag of added) checkOwn(tag, type)
  const byKey = new Map([...tags, ...added].map((tag) => [tag.Key, tag]))
  if (byKey.size > TAG_COUNT_MAX) {
    throw new ApiError(
      'LimitExceededException',
      `A Firehose can have at most ${TAG_COUNT_MAX} tags, not ${byKey.size}`,
    )
  }
  return [...byKey.values()].toSorted((a, b) => (a.Key < b.Key ? -1 : 1))
}

function checkOwn({ Key, Value = '' }: Tag, type: DeliveryStream['type']): void {
  const own = OWN_TAGS.get(Key)
  if (own === undefined) return
  if (Key === LANES_TAG && type !== 'DirectPut') {
    throw invalidArgument(
      `Tag ${Key} is for DirectPut only: how far a source is read is kept in one lane`,
    )
  }
  const { form, most, words } = own
  const number = form.test(Value) ? Number(Value) : Number.NaN
  if (number >= 1 && number <= most) return
  throw invalidArgument(`Tag ${Key} must be ${words} from 1 to ${most}`)
}
