import type { Operation } from '../operation.ts'
import { NOT_ENCRYPTED } from './encryption.ts'
import { streamNameOf } from './input-members.ts'
import { changeActiveStream } from './stream-lookup.ts'

/** What is buffered stays encrypted as it is. Succeeds on a stream that isn't encrypted. */
export const stopDeliveryStreamEncryption: Operation = async (input, context) => {
  const stream = await changeActiveStream(context, streamNameOf(input), (current) =>
    current.encryption.status === 'DISABLED' ? current : { ...current, encryption: NOT_ENCRYPTED },
  )
  await context.intake.seal(stream.streamId, 'update')
  return {}
}
