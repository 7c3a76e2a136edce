import type { ApiContext } from '../context.ts'
import { finishDeletions } from './delete-delivery-stream.ts'
import { finishEncryptionStarts } from './encryption.ts'

/** Finishes what a crash left half done. Called once at start, before any request. */
export async function finishInterrupted(context: ApiContext): Promise<void> {
  await finishDeletions(context)
  await finishEncryptionStarts(context)
}
