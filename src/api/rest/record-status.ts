/** `GET /receipts/{recordId}`: where is my record? */
import type { JsonObject } from '../../base/json.ts'
import { decodeRecordId } from '../../record.ts'
import type { BatchId } from '../../batch.ts'
import type { Receipt, ReceiptOutput } from '../../receipt.ts'
import type { ApiContext } from '../context.ts'
import { ApiError } from '../exceptions.ts'
import type { Route } from '../operation.ts'
import { parameterOf } from './route-parameters.ts'
import { describeWaiting } from './waiting-record.ts'
import { whereabouts } from './whereabouts.ts'

/** A partitioned batch may have ten thousand. */
const OUTPUTS_SHOWN_MAX = 100

/**
 * State is where the record's batch is: `open` (buffered), `waiting`, `in-flight` or `parked` (with
 * what its attempts have come to); or, with the receipt of its batch, what became of it: `delivered`,
 * `dropped` by a transform, `errored` where a processor failed it or its destination refused it,
 * `processed` where records were split or merged and nobody can say.
 */
export const getReceipt: Route = {
  method: 'GET',
  path: '/receipts/{recordId}',
  action: 'GetReceipt',
  bodyBytesMax: 0,
  audited: false,
  async handle(request, context) {
    const recordId = parameterOf(request, 'recordId')
    const decoded = decodeRecordId(recordId)
    const found =
      decoded === undefined
        ? undefined
        : await batchStatus(decoded.batchId, decoded.ordinal, context)
    if (decoded === undefined || found === undefined) throw unknownRecord(recordId)
    const { batchId, ordinal } = decoded
    return {
      statusCode: 200,
      body: { RecordId: recordId, BatchId: batchId, Ordinal: ordinal, ...found },
    }
  },
}

/** Looks in the order in which a batch moves on, so that it isn't missed on its way. */
async function batchStatus(
  batchId: BatchId,
  ordinal: number,
  context: ApiContext,
): Promise<JsonObject | undefined> {
  const open = await findOpen(batchId, context)
  if (open !== undefined) return ordinal < open.recordCount ? open.status : undefined
  const queued = await context.queue.find(batchId)
  const receipt = await context.catalog.receipt(batchId)
  // One that is delivered may still be in the queue, where its worker did not live to take it off.
  if (receipt === undefined && queued !== undefined) {
    if (ordinal >= queued.batch.recordCount) return undefined
    return await describeWaiting(queued, ordinal, context)
  }
  if (receipt === undefined || ordinal >= receipt.recordCount) return undefined
  const { state, outputs, recordId } = whereabouts(receipt, ordinal)
  const shown = outputs.slice(0, OUTPUTS_SHOWN_MAX)
  const described = shown.map((output) => describeOutput(output, receipt, recordId, context))
  return { State: state, Receipt: { ...describeReceipt(receipt), Outputs: described } }
}

async function findOpen(batchId: BatchId, { registry, store }: ApiContext) {
  for (const { streamId, name } of registry.list()) {
    const batches = await store.openBatches(streamId)
    const found = batches.find((batch) => batch.batchId === batchId)
    if (found === undefined) continue
    return { recordCount: found.recordCount, status: { State: 'open', DeliveryStreamName: name } }
  }
  return undefined
}

function describeReceipt(receipt: Receipt): JsonObject {
  return {
    DeliveryStreamName: receipt.streamName,
    RecordCount: receipt.recordCount,
    DataBytes: receipt.dataBytes,
    FirstArrivalTimestamp: receipt.firstArrivalMs / 1_000,
    SealedTimestamp: receipt.sealedAtMs / 1_000,
    DeliveredTimestamp: receipt.deliveredAtMs / 1_000,
    Attempts: receipt.attempts,
    DroppedCount: receipt.droppedCount,
    ...(receipt.madeCount !== undefined && { MadeCount: receipt.madeCount }),
    OutputCount: receipt.outputs.length,
    QuarantinedCount: receipt.quarantinedCount,
  }
}

function describeOutput(
  output: ReceiptOutput,
  { streamId }: Receipt,
  recordId: string | undefined,
  { registry, destinations }: ApiContext,
): JsonObject {
  const { target, accounting } = output
  const type = destinations.get(registry.byId(streamId)?.destinationType ?? '')
  const isOwn = accounting === 'delivered' && recordId !== undefined
  const recordTarget = isOwn ? type?.recordTarget?.(target, recordId) : undefined
  return {
    Kind: output.kind,
    Target: recordTarget === undefined ? target : { ...(target as JsonObject), ...recordTarget },
    Accounting: accounting,
    RecordCount: output.recordCount,
    Attempts: output.attempts,
    SizeBytes: output.sizeBytes,
  }
}

function unknownRecord(recordId: string): ApiError {
  const message = `Cannot find record ${recordId}: not accepted here, or its receipt is forgotten`
  return new ApiError('NotFoundException', message)
}
