import { createHash } from 'node:crypto'
import { batchIdBytes } from '../batch.ts'
import type { BatchId } from '../batch.ts'

/**
 * 32 bytes that look random and are the same each time they are asked for, so that a repeat of a
 * batch comes to the same names.
 * @param path which of the batch's names this is; different paths give unrelated bytes
 */
export function derivedBytes(batchId: BatchId, ...path: readonly (string | number)[]): Buffer {
  return createHash('sha256').update(batchIdBytes(batchId)).update(path.join('/')).digest()
}
