import type { Operation } from '../operation.ts'
import { keyChoiceOf, startEncryption } from './encryption.ts'
import { streamNameOf } from './input-members.ts'

/** On a stream that is encrypted already this changes its key. */
export const startDeliveryStreamEncryption: Operation = async (input, context) => {
  const choice = keyChoiceOf(input['DeliveryStreamEncryptionConfigurationInput'])
  await startEncryption(context, streamNameOf(input), choice)
  return {}
}
