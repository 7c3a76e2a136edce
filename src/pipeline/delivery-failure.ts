/** What stops an attempt, classified. */
import type { BatchReading } from '../batch-store.ts'
import type { Failure } from '../delivery-queue.ts'
import { DeliveryError } from '../destination.ts'
import { ManifestDamaged } from '../manifest.ts'
import { StagingDamaged } from '../staging.ts'
import type { Attempt } from './attempt.ts'

/** What has gone bad since the batch was encoded must not pass for delivered: it is encoded anew. */
export function checkStillWhole({ quarantinedCount }: BatchReading, attempt: Attempt): void {
  if (quarantinedCount <= attempt.quarantinedCount) return
  throw new DeliveryError('InternalError', 'Cannot read a chunk that was sound before', {
    retryable: true,
    effect: 'unknown',
  })
}

/** The stream brakes, for the fault is likely to be in the configuration and not in the records. */
export function mostlyRefused({ claimed }: Attempt, last: Failure | undefined): DeliveryError {
  const { errorCode = '', errorMessage = '' } = last ?? {}
  const batches = claimed.refusedInARow + 1
  const message = `Nearly all records of ${batches} batches in a row were refused; the last: ${errorMessage}`
  return new DeliveryError(errorCode, message, { retryable: true, effect: 'none', brake: true })
}

export function recordsPending({ lastFailure }: Attempt): DeliveryError {
  const { errorCode = 'RequestAborted', errorMessage = 'The attempt was given up' } =
    lastFailure ?? {}
  return new DeliveryError(errorCode, errorMessage, { retryable: true, effect: 'unknown' })
}

/**
 * What is not classified is a fault of ours: tried again, as everything is that may cure itself. What
 * does not is damage to what says how far a batch has come: without it a repeat could double the batch,
 * so that an operator decides.
 */
export function asDeliveryError(error: unknown): DeliveryError {
  if (error instanceof DeliveryError) return error
  if (error instanceof ManifestDamaged) {
    const message = `${error.message}; see \`standpipe data repair\``
    const options = { retryable: false, effect: 'unknown', cause: error } as const
    return new DeliveryError('ManifestDamaged', message, options)
  }
  if (error instanceof StagingDamaged) {
    const message = `Cannot read what processors made of the batch: ${error.message}`
    const options = { retryable: false, effect: 'unknown', cause: error } as const
    return new DeliveryError('StagingDamaged', message, options)
  }
  const message = error instanceof Error ? error.message : String(error)
  const options = { retryable: true, effect: 'unknown', cause: error } as const
  return new DeliveryError('InternalError', message, options)
}
