/** What a stream holds and how its delivery goes: more than DescribeDeliveryStream can say. */
import type { JsonObject } from '../../base/json.ts'
import type { OpenBatch } from '../../batch-store.ts'
import type { Failure, StreamQueueStatus } from '../../delivery-queue.ts'
import { retentionMs } from '../../delivery-stream.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import type { PartitionReport } from '../../source-reports.ts'
import type { ApiContext } from '../context.ts'
import type { Route } from '../operation.ts'
import { existingStream } from '../operations/stream-lookup.ts'
import { parameterOf } from './route-parameters.ts'

export const getStream: Route = {
  method: 'GET',
  path: '/streams/{name}',
  action: 'GetDeliveryStream',
  bodyBytesMax: 0,
  audited: false,
  async handle(request, context) {
    const stream = existingStream(context, parameterOf(request, 'name'))
    return { statusCode: 200, body: await statusOf(stream, context) }
  },
}

export const listStreams: Route = {
  method: 'GET',
  path: '/streams',
  action: 'ListDeliveryStreams',
  bodyBytesMax: 0,
  audited: false,
  async handle(_request, context) {
    const streams = context.registry.list()
    const statuses = await Promise.all(streams.map((stream) => statusOf(stream, context)))
    return { statusCode: 200, body: { DeliveryStreams: statuses } }
  },
}

async function statusOf(stream: DeliveryStream, context: ApiContext): Promise<JsonObject> {
  const { books, queue, pendingBytes, oldestArrivalMs } = await context.ledger.status(
    stream.streamId,
  )
  const batches = await context.store.openBatches(stream.streamId)
  const openBatch = batches.find(({ state }) => state === 'open')
  return {
    DeliveryStreamName: stream.name,
    DeliveryStreamARN: stream.arn,
    DeliveryStreamStatus: stream.status,
    VersionId: String(stream.versionId),
    RetentionPeriodHours: retentionMs(stream) / 3_600_000,
    Books: {
      Accepted: books.accepted,
      Made: books.made,
      Delivered: books.delivered,
      Dropped: books.dropped,
      Errored: books.errored,
      Quarantined: books.quarantined,
      Pending: books.pending,
    },
    PendingBytes: pendingBytes,
    ...(oldestArrivalMs === undefined ? {} : { OldestArrivalTimestamp: oldestArrivalMs / 1_000 }),
    Delivery: describeQueue(queue),
    ...(openBatch === undefined ? {} : { OpenBatch: describeOpenBatch(openBatch) }),
    ...(stream.source === undefined ? {} : { Source: await describeSource(stream, context) }),
  }
}

function describeQueue(queue: StreamQueueStatus): JsonObject {
  return {
    State: queue.state,
    WaitingBatchCount: queue.waitingCount,
    InFlightBatchCount: queue.inFlightCount,
    ParkedBatchCount: queue.parkedCount,
    ...describeFailure(queue.lastFailure),
  }
}

/** The member LastFailure, if there was one. */
export function describeFailure(failure: Failure | undefined): JsonObject {
  if (failure === undefined) return {}
  const { errorCode, errorMessage } = failure
  return { LastFailure: { ErrorCode: errorCode, ErrorMessage: errorMessage } }
}

function describeOpenBatch({ batchId, recordCount, dataBytes, firstArrivalMs }: OpenBatch) {
  return {
    BatchId: batchId,
    RecordCount: recordCount,
    DataBytes: dataBytes,
    FirstArrivalTimestamp: firstArrivalMs / 1_000,
  }
}

/** What this process reads of it, and how far the rest was read, by whomever. */
async function describeSource(
  { streamId }: DeliveryStream,
  { sourceReports, store }: ApiContext,
): Promise<JsonObject> {
  const report = sourceReports.report(streamId)
  const read = report?.partitions ?? []
  const readHere = new Set(read.map(({ partition }) => partition))
  const positions = (await store.positions(streamId)).filter(
    ({ partition, passing }) => passing !== true && !readHere.has(partition),
  )
  const partitions = [...read, ...positions].toSorted((one, other) =>
    one.partition < other.partition ? -1 : 1,
  )
  return {
    State: report?.state ?? 'elsewhere',
    ...(report?.pausedBy === undefined ? {} : { PausedBy: report.pausedBy }),
    Partitions: partitions.map(describePartition),
    ...(report === undefined
      ? {}
      : {
          ReadRecords: report.recordCount,
          ReadBytes: report.dataBytes,
          GapCount: report.gapCount,
          LostRecordCount: report.lostCount,
          ...describeFailure(report.lastFailure),
          ...(report.lastFailure && { LastFailureTimestamp: report.lastFailure.atMs / 1_000 }),
        }),
  }
}

function describePartition(report: PartitionReport): JsonObject {
  return {
    Partition: report.partition,
    Position: report.position,
    MillisBehindLatest: report.behindLatestMs,
    LagRecordCount: report.lagCount,
    ...describeFailure(report.failure),
  }
}
