/** `GET /receipts/{recordId}`: where is my record? */
import type { JsonObject } from '../../base/json.ts'
import { decodeRecordId } from '../../record.ts'
import type { BatchId } from '../../batch.ts'
import type { Receipt } from '../../receipt.ts'
import type { ApiContext } from '../context.ts'
import { ApiError } from '../exceptions.ts'
import type { Route } from '../operation.ts'
import { parameterOf } from './route-parameters.ts'
import { describeFailure } from './stream-status.ts'

/**
 * State is where the record's batch is: `open` (buffered), `waiting`, `in-flight` or `parked` (with
 * the last failure), or `delivered` (with its receipt).
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
  const open = findOpen(batchId, context)
  if (open !== undefined) return ordinal < open.recordCount ? open.status : undefined
  const queued = await context.queue.find(batchId)
  if (queued !== undefined) {
    const { state, attempt, lastFailure } = queued
    return { State: state, Attempt: attempt, ...describeFailure(lastFailure) }
  }
  const receipt = await context.catalog.receipt(batchId)
  if (receipt === undefined || ordinal >= receipt.recordCount) return undefined
  return { State: 'delivered', Receipt: describeReceipt(receipt) }
}

function findOpen(batchId: BatchId, { registry, store }: ApiContext) {
  for (const { streamId, name } of registry.list()) {
    const open = store.openBatch(streamId)
    if (open?.batchId !== batchId) continue
    return { recordCount: open.recordCount, status: { State: 'open', DeliveryStreamName: name } }
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
    Outputs: receipt.outputs.map((output) => ({
      Kind: output.kind,
      Target: output.target,
      Accounting: output.accounting,
      RecordCount: output.recordCount,
      SizeBytes: output.sizeBytes,
    })),
    DroppedCount: receipt.droppedCount,
    QuarantinedCount: receipt.quarantinedCount,
  }
}

function unknownRecord(recordId: string): ApiError {
  const message = `Cannot find record ${recordId}: not accepted here, or its receipt is forgotten`
  return new ApiError('NotFoundException', message)
}
