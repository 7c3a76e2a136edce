import { BackendUnavailable } from '../backend.ts'
import type { Clock } from '../base/clock.ts'
import type { SourceSample, StreamSample } from '../base/prometheus-metrics.ts'
import type { DeliveryStreamType } from '../delivery-stream.ts'
import type { DestinationType } from '../destination.ts'
import type { SourceReport, SourceReports } from '../source-reports.ts'
import type { Ledger } from './ledger.ts'
import type { StreamRegistry } from './stream-registry.ts'

const BEHIND_METRICS: Readonly<Partial<Record<DeliveryStreamType, string>>> = {
  KinesisStreamAsSource: 'KinesisMillisBehindLatest',
  MSKAsSource: 'KafkaOffsetLag',
}

export interface StreamSamplesOptions {
  readonly registry: StreamRegistry
  readonly ledger: Ledger
  readonly destinations: ReadonlyMap<string, DestinationType>
  readonly sourceReports: SourceReports
  readonly clock: Clock
}

/** How all streams stand, for the metrics; undefined while nobody can tell. */
export async function streamSamples(
  options: StreamSamplesOptions,
): Promise<readonly StreamSample[] | undefined> {
  try {
    return await samplesOf(options)
  } catch (error) {
    if (error instanceof BackendUnavailable) return undefined
    throw error
  }
}

async function samplesOf(options: StreamSamplesOptions): Promise<readonly StreamSample[]> {
  const { registry, ledger, destinations, sourceReports, clock } = options
  return Promise.all(
    registry.list().map(async ({ streamId, name, type, destinationType }) => {
      const { books, queue, pendingBytes, oldestArrivalMs } = await ledger.status(streamId)
      const { pending, ...columns } = books
      const source = sourceReports.report(streamId)
      return {
        streamName: name,
        metric: destinations.get(destinationType)?.metric ?? destinationType,
        books: columns,
        pendingRecordCount: pending,
        backlogBytes: pendingBytes,
        parkedBatchCount: queue.parkedCount,
        dataFreshnessMs:
          oldestArrivalMs === undefined ? undefined : clock.nowMs() - oldestArrivalMs,
        state: queue.state,
        ...(source === undefined ? {} : { source: sourceSample(type, source) }),
      }
    }),
  )
}

function sourceSample(type: DeliveryStreamType, report: SourceReport): SourceSample {
  const behind = greatestBehind(type, report)
  return {
    state: report.state,
    ...(behind === undefined ? {} : { behind }),
    partitions: report.partitions.map(({ partition, behindLatestMs, lagCount }) => ({
      partition,
      ...(behindLatestMs === undefined ? {} : { behindLatestMs }),
      ...(lagCount === undefined ? {} : { lagCount }),
    })),
  }
}

/** As AWS tells it, which has a metric for these two sources; undefined: nothing is known. */
function greatestBehind(
  type: DeliveryStreamType,
  { partitions }: SourceReport,
): SourceSample['behind'] {
  const metric = BEHIND_METRICS[type]
  if (metric === undefined) return undefined
  const values = partitions
    .map(({ behindLatestMs, lagCount }) =>
      metric === 'KafkaOffsetLag' ? lagCount : behindLatestMs,
    )
    .filter((value) => value !== undefined)
  return values.length === 0 ? undefined : { metric, value: Math.max(...values) }
}
