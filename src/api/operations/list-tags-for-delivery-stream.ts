import type { Operation } from '../operation.ts'
import { pageAfter } from './page.ts'
import { streamNameOf } from './input-members.ts'
import { existingStream } from './stream-lookup.ts'

const LIMIT_DEFAULT = 50

/** In lexical order of the keys. */
export const listTagsForDeliveryStream: Operation = async (input, context) => {
  const { tags } = existingStream(context, streamNameOf(input))
  const limit = Number(input['Limit'] ?? LIMIT_DEFAULT)
  const cursor = input['ExclusiveStartTagKey']
  const { page, hasMore } = pageAfter(tags, (tag) => tag.Key, cursor, limit)
  return { Tags: page.map((tag) => ({ ...tag })), HasMoreTags: hasMore }
}
