import type { DeliveryStream } from '../delivery-stream.ts'
import type { Destination, EncodedOutput, Spool } from '../destination.ts'
import type { ErrorOutput } from '../error-output.ts'
import type { Manifest } from '../manifest.ts'
import type { BatchSource } from './processed-batch.ts'

export interface BatchEncoding {
  readonly source: BatchSource
  /** As it was, or will be, when the batch's names are fixed. */
  readonly stream: DeliveryStream
  readonly destination: Destination
  readonly errorOutput: ErrorOutput
  /** Present when names are fixed already. */
  readonly frozen: Manifest | undefined
  readonly openSpool: () => Spool
}

export interface EncodedBatch {
  readonly outputs: readonly EncodedOutput[]
  /** Accepted records that could not be read. */
  readonly quarantinedCount: number
}

/** All outputs of a batch: the destination's, and an object for each type of what processors failed. */
export async function encodeBatch(encoding: BatchEncoding): Promise<EncodedBatch> {
  const { source, stream, destination, frozen, openSpool } = encoding
  const { batch, processing } = source
  // All its records lie in quarantine or were dropped, and nothing is left to encode.
  if (frozen?.outputs.length === 0) {
    return { outputs: [], quarantinedCount: frozen.quarantinedCount }
  }
  const chunks = source.read()
  const processed = processing && { processed: processing.forEncoding() }
  const job = { batch, stream, chunks, ...processed, frozen, openSpool }
  const delivered = await destination.encode(job)
  const failed = await encodeProcessingErrors(encoding)
  return {
    outputs: [...delivered, ...failed],
    quarantinedCount: processing?.quarantinedCount ?? chunks.quarantinedCount,
  }
}

async function encodeProcessingErrors({
  source: { accepted, processing },
  stream,
  errorOutput,
  frozen,
  openSpool,
}: BatchEncoding): Promise<readonly EncodedOutput[]> {
  const outputs: EncodedOutput[] = []
  for (const { errorOutputType, recordCount, lines } of processing?.errors ?? []) {
    outputs.push(
      await errorOutput.encodeProcessingErrors({
        batch: accepted,
        stream,
        errorOutputType,
        recordCount,
        lines: lines(),
        frozen: frozen?.outputs.find(({ kind }) => kind === errorOutputType),
        openSpool,
      }),
    )
  }
  return outputs
}
