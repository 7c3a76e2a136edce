/**
 * Where records go that a destination did not take: an object of JSON lines in S3, in AWS's form
 * (facts: error outputs). It is one more output of the batch's manifest, frozen before it is written;
 * from then on those records are not offered to the destination again, so that none is in both places.
 */
import type { SealedBatch } from './batch.ts'
import type { StoredChunk } from './batch-store.ts'
import type { DeliveryStream } from './delivery-stream.ts'
import type { EncodedOutput, FailurePolicy, Spool } from './destination.ts'
import type { FrozenOutput, Manifest } from './manifest.ts'
import type { ErrorOutputType } from './processor.ts'

/** The kind of an error output in manifests and receipts; what processors failed has its own kinds. */
export const ERROR_OUTPUT_KIND = 'error-output'

/** Whether an output is of what processors failed. */
export function isOfProcessors({
  accounting,
  kind,
}: Pick<FrozenOutput, 'accounting' | 'kind'>): boolean {
  return accounting === 'errored' && kind !== ERROR_OUTPUT_KIND
}

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

/** Records that a processor failed; there is one such output for each error-output-type of a batch. */
export interface ProcessingErrorsJob {
  /** As it was accepted. */
  readonly batch: SealedBatch
  /** As it was when the batch's names were fixed. */
  readonly stream: DeliveryStream
  /** The kind of the output, too. */
  readonly errorOutputType: ErrorOutputType
  readonly recordCount: number
  /** The error records, a line of JSON each, in pieces of any size. */
  readonly lines: AsyncIterable<Buffer>
  /** Present when its name is fixed already. */
  readonly frozen: FrozenOutput | undefined
  openSpool(): Spool
}

export interface ErrorOutput {
  /** A pure function of the job. The output's accounting is `errored`, its range its own records. */
  encodeProcessingErrors(job: ProcessingErrorsJob): Promise<EncodedOutput>
  /** A pure function of the job: the same each time it is repeated. */
  encode(job: ErrorOutputJob): Promise<EncodedOutput>
  /**
   * One attempt, at an output of either kind.
   * @throws DeliveryError
   */
  deliver(
    job: Pick<ErrorOutputJob, 'stream'> & {
      readonly output: EncodedOutput
      readonly formerSha256s: readonly string[]
      readonly signal: AbortSignal
    },
  ): Promise<void>
}
