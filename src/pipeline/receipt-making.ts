import type { Claim } from '../delivery-queue.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import { ERROR_OUTPUT_KIND } from '../error-output.ts'
import type { FrozenOutput, Manifest } from '../manifest.ts'
import type { Receipt, ReceiptOutput } from '../receipt.ts'
import { RecordSet } from '../record-set.ts'

/**
 * What a manifest, all of whose outputs are done, has come to.
 * @param ordinalEnd of the records that its ranges count
 */
export function receiptOf(
  claim: Claim,
  ordinalEnd: number,
  { streamId, name: streamName }: DeliveryStream,
  manifest: Manifest,
  deliveredAtMs: number,
): Receipt {
  const { batchId, recordCount, dataBytes, firstArrivalMs, sealedAtMs } = claim.batch
  return {
    batchId,
    streamId,
    streamName,
    recordCount,
    dataBytes,
    firstArrivalMs,
    sealedAtMs,
    deliveredAtMs,
    attempts: claim.attempt,
    outputs: receiptOutputs(manifest, ordinalEnd),
    droppedCount: manifest.droppedCount,
    ...(manifest.madeCount !== undefined && { madeCount: manifest.madeCount }),
    quarantinedCount: manifest.quarantinedCount,
    ...(manifest.processing !== undefined && { processing: manifest.processing }),
  }
}

function receiptOutputs({ outputs }: Manifest, ordinalEnd: number): ReceiptOutput[] {
  // Fewer than were refused where a chunk has gone bad since: those count as quarantined.
  let erroredCount = outputs.find(({ kind }) => kind === ERROR_OUTPUT_KIND)?.recordCount ?? 0
  return outputs.map((output) => {
    const { kind, target, accounting, recordCount, range, sizeBytes, progress } = output
    const refusedCount = Math.min(progress?.refused.length ?? 0, recordCount, erroredCount)
    erroredCount -= refusedCount
    return {
      kind,
      target,
      accounting,
      recordCount: recordCount - refusedCount,
      ...(range !== undefined && { range }),
      ...(refusedCount > 0 && { refused: refusedOf(output, ordinalEnd) }),
      attempts: progress?.attempts ?? 1,
      sizeBytes,
    }
  })
}

function refusedOf({ progress, range }: FrozenOutput, ordinalEnd: number): string {
  const refused = RecordSet.empty(range?.to ?? ordinalEnd, range?.from)
  for (const { ordinal } of progress?.refused ?? []) refused.add(ordinal)
  return refused.toString()
}
