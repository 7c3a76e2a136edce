/**
 * A record id says where the record is: the batch it was appended to, and its place there.
 *
 *   RecordId:  batch id (26 characters) | ordinal in base 32, 8 characters, zero-padded
 *
 * Clients treat it as opaque. "Where is my record?" is answered from it alone (see receipt.ts).
 */
import { BATCH_ID_LENGTH, isBatchId } from './batch.ts'
import type { BatchId } from './batch.ts'

const ORDINAL_LENGTH = 8
const ORDINAL_PATTERN = /^[0-9a-v]{8}$/

export function encodeRecordId(batchId: BatchId, ordinal: number): string {
  return batchId + ordinal.toString(32).padStart(ORDINAL_LENGTH, '0')
}

/** What the id says, or undefined when it isn't one of ours. */
export function decodeRecordId(
  recordId: string,
): { batchId: BatchId; ordinal: number } | undefined {
  const batchId = recordId.slice(0, BATCH_ID_LENGTH)
  const ordinal = recordId.slice(BATCH_ID_LENGTH)
  if (!isBatchId(batchId) || !ORDINAL_PATTERN.test(ordinal)) return undefined
  return { batchId, ordinal: Number.parseInt(ordinal, 32) }
}
