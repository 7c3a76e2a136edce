import { strict as assert } from 'node:assert'
import type { Operation } from '../operation.ts'
import { streamNameOf } from './input-members.ts'
import { changeActiveStream } from './stream-lookup.ts'

/** Removes tags; a key that isn't there is ignored. */
export const untagDeliveryStream: Operation = async (input, context) => {
  const keys = input['TagKeys']
  assert(Array.isArray(keys), 'the model requires tag keys')
  const removed = new Set(keys)
  await changeActiveStream(context, streamNameOf(input), (current) => ({
    ...current,
    tags: current.tags.filter((tag) => !removed.has(tag.Key)),
  }))
  return {}
}
