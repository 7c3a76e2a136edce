/** `GET /receipts/{recordId}`: where is my record? */
import type { JsonObject } from '../../base/json.ts'
import { decodeRecordId } from '../../record.ts'
import type { BatchId } from '../../batch.ts'
import type { Receipt, ReceiptOutput } from '../../receipt.ts'
import { RecordSet } from '../../record-set.ts'
import type { ApiContext } from '../context.ts'
import { ApiError } from '../exceptions.ts'
import type { Route } from '../operation.ts'
import { parameterOf } from './route-parameters.ts'
import { describeFailure } from './stream-status.ts'

/**
 * State is where the record's batch is: `open` (buffered), `waiting`, `in-flight` or `parked` (with
 * the last failure); `delivered`, or `errored` where its destination refused it (with its receipt).
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
  const outputs = outputsOf(receipt, ordinal)
  const isErrored = outputs.some(({ accounting }) => accounting === 'errored')
  return { State: isErrored ? 'errored' : 'delivered', Receipt: describeReceipt(receipt, outputs) }
}

function findOpen(batchId: BatchId, { registry, store }: ApiContext) {
  for (const { streamId, name } of registry.list()) {
    const found = [store.openBatch(streamId), ...store.sealingBatches(streamId)].find(
      (batch) => batch?.batchId === batchId,
    )
    if (found === undefined) continue
    return { recordCount: found.recordCount, status: { State: 'open', DeliveryStreamName: name } }
  }
  return undefined
}

/** The outputs that hold the record: its destination or the error output, and copies. */
function outputsOf({ outputs }: Receipt, ordinal: number): ReceiptOutput[] {
  const isRefused = outputs.some(({ refused }) => holds(refused, ordinal))
  return outputs.filter(({ accounting, range, refused }) => {
    if (accounting === 'errored') return isRefused
    const isMeant = range === undefined || (ordinal >= range.from && ordinal < range.to)
    return isMeant && !holds(refused, ordinal)
  })
}

function holds(records: string | undefined, ordinal: number): boolean {
  return records !== undefined && RecordSet.parse(records).has(ordinal)
}

function describeReceipt(receipt: Receipt, outputs: readonly ReceiptOutput[]): JsonObject {
  return {
    DeliveryStreamName: receipt.streamName,
    RecordCount: receipt.recordCount,
    DataBytes: receipt.dataBytes,
    FirstArrivalTimestamp: receipt.firstArrivalMs / 1_000,
    SealedTimestamp: receipt.sealedAtMs / 1_000,
    DeliveredTimestamp: receipt.deliveredAtMs / 1_000,
    Attempts: receipt.attempts,
    Outputs: outputs.map((output) => ({
      Kind: output.kind,
      Target: output.target,
      Accounting: output.accounting,
      RecordCount: output.recordCount,
      Attempts: output.attempts,
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
