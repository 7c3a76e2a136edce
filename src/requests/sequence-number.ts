import type { BatchId } from '../batch.ts'
import { batchIdBytes } from '../batch.ts'

/**
 * What stands for a record's Kinesis sequence number in the error output: 56 digits as AWS's, the
 * batch id in 39 of them (128 bits) and the ordinal in 17. In the order of acceptance.
 */
export function sequenceNumber(batchId: BatchId, ordinal: number): string {
  const batch = BigInt(`0x${batchIdBytes(batchId).toString('hex')}`)
  return `${batch.toString().padStart(39, '0')}${String(ordinal).padStart(17, '0')}`
}
