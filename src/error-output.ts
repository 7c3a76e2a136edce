/**
 * Where records go that a destination did not take: an object of JSON lines in S3, in AWS's form
 * (facts: error outputs). It is one more output of the batch's manifest, frozen before it is written;
 * from then on those records are not offered to the destination again, so that none is in both places.
 */
import type { SealedBatch } from './batch.ts'
import type { StoredChunk } from './batch-store.ts'
import type { DeliveryStream } from './delivery-stream.ts'
import type { EncodedOutput, FailurePolicy, Spool } from './destination.ts'
import type { Manifest } from './manifest.ts'

/** The kind of an error output in manifests and receipts. */
export const ERROR_OUTPUT_KIND = 'error-output'

export interface ErrorOutputJob {
  readonly batch: SealedBatch
  /** As it was when the batch's names were fixed. */
  readonly stream: DeliveryStream
  readonly policy: FailurePolicy
  /** Says which records were refused, why, and when. */
  readonly manifest: Manifest
  readonly chunks: AsyncIterable<StoredChunk>
  openSpool(): Spool
}

export interface ErrorOutput {
  /** A pure function of the job: the same each time it is repeated. */
  encode(job: ErrorOutputJob): Promise<EncodedOutput>
  /**
   * One attempt.
   * @throws DeliveryError
   */
  deliver(
    job: Pick<ErrorOutputJob, 'stream' | 'policy'> & {
      readonly output: EncodedOutput
      readonly formerSha256s: readonly string[]
      readonly signal: AbortSignal
    },
  ): Promise<void>
}
