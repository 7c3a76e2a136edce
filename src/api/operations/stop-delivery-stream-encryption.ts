import type { Operation } from '../operation.ts'
import { stopEncryption } from './encryption.ts'
import { streamNameOf } from './input-members.ts'

/** What is buffered stays encrypted as it is. Succeeds on a stream that isn't encrypted. */
export const stopDeliveryStreamEncryption: Operation = async (input, context) => {
  await stopEncryption(context, streamNameOf(input))
  return {}
}
