import type { Operation } from '../operation.ts'
import { streamNameOf } from './input-members.ts'
import { changeActiveStream } from './stream-lookup.ts'
import { mergeTags, tagsOf } from './tags.ts'

/** Adds tags, and replaces those that have the same key. The stream's VersionId stays. */
export const tagDeliveryStream: Operation = async (input, context) => {
  const added = tagsOf(input['Tags'])
  await changeActiveStream(context, streamNameOf(input), (current) => ({
    ...current,
    tags: mergeTags(current, added),
  }))
  return {}
}
