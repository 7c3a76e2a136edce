import { BackendUnavailable } from '../backend.ts'
import type { Clock } from '../base/clock.ts'
import type { StreamSample } from '../base/prometheus-metrics.ts'
import type { DestinationType } from '../destination.ts'
import type { Ledger } from './ledger.ts'
import type { StreamRegistry } from './stream-registry.ts'

export interface StreamSamplesOptions {
  readonly registry: StreamRegistry
  readonly ledger: Ledger
  readonly destinations: ReadonlyMap<string, DestinationType>
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
  const { registry, ledger, destinations, clock } = options
  return Promise.all(
    registry.list().map(async ({ streamId, name, destinationType }) => {
      const { books, queue, pendingBytes, oldestArrivalMs } = await ledger.status(streamId)
      const { pending, ...columns } = books
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
      }
    }),
  )
}
