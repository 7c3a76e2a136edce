import type { QueueState, StreamQueueStatus } from '../../delivery-queue.ts'

/** From the best to the worst. */
const STATES: readonly QueueState[] = ['running', 'suspect', 'braked', 'paused']

/** The status of a stream whose lanes have these; its state is the worst of theirs. */
export function sumOfLanes(lanes: readonly StreamQueueStatus[]): StreamQueueStatus {
  const sum = (count: (lane: StreamQueueStatus) => number): number =>
    lanes.reduce((total, lane) => total + count(lane), 0)
  const worst = lanes.reduce((index, { state }) => Math.max(index, STATES.indexOf(state)), 0)
  const arrivals = lanes.flatMap(({ oldestArrivalMs }) => oldestArrivalMs ?? [])
  return {
    state: STATES[worst] ?? 'running',
    waitingCount: sum(({ waitingCount }) => waitingCount),
    inFlightCount: sum(({ inFlightCount }) => inFlightCount),
    parkedCount: sum(({ parkedCount }) => parkedCount),
    recordCount: sum(({ recordCount }) => recordCount),
    dataBytes: sum(({ dataBytes }) => dataBytes),
    oldestArrivalMs: arrivals.length === 0 ? undefined : Math.min(...arrivals),
    lastFailure: lanes.find(({ lastFailure }) => lastFailure !== undefined)?.lastFailure,
  }
}
