/** Why a record has no partition, in AWS's codes (facts: dynamic partitioning). */
import type { ProcessingFailure } from '../../processor.ts'

/** Its partition keys can't be told. */
export function extractionFailure(errorMessage: string, atMs: number): ProcessingFailure {
  return {
    errorOutputType: 'processing-failed',
    errorCode: 'DynamicPartitioning.MetadataExtractionFailed',
    errorMessage,
    attemptsMade: 1,
    atMs,
  }
}

/** It would make one partition too many. */
export function limitFailure(partitionsMax: number, atMs: number): ProcessingFailure {
  return {
    errorOutputType: 'activePartitionExceeded',
    errorCode: 'DynamicPartitioning.ActivePartitionsLimitExceeded',
    errorMessage: `The limit of ${partitionsMax} active partitions is exceeded`,
    attemptsMade: 1,
    atMs,
  }
}
