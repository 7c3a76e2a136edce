import type { Failure, QueueState, StreamQueueStatus } from '../../delivery-queue.ts'
import type { Books } from '../../receipt.ts'
import { BOOK_COLUMNS, booksOf } from './books.ts'
import type { Keys, LaneThing } from '../keys.ts'
import type { Lane } from '../lanes.ts'
import type { ScriptRunner } from '../scripts.ts'

const READ: readonly LaneThing[] = ['books', 'open', 'queue', 'queued', 'inflight', 'parked']
const QUEUE_FIELDS = ['paused', 'braked', 'failureCount', 'lastFailure', 'recordCount', 'dataBytes']

/** All of a lane at one moment: so `accepted` and what became of it agree. */
export interface LaneStatus {
  /** Without the open batch. */
  readonly books: Books
  readonly queue: StreamQueueStatus
  /** The open batch; zeros while there is none. */
  readonly open: {
    readonly recordCount: number
    readonly dataBytes: number
    readonly firstArrivalMs: number | undefined
  }
}

type Values = readonly (string | null)[]

export async function laneStatus(
  scripts: ScriptRunner,
  keys: Keys,
  { streamId, lane }: Lane,
): Promise<LaneStatus> {
  const laneKeys = keys.lane(streamId, lane)
  const answer = await scripts.run(
    'lane-status',
    READ.map((thing) => laneKeys.of(thing)),
    [BOOK_COLUMNS.length, ...BOOK_COLUMNS, ...QUEUE_FIELDS],
  )
  const [columns, open, queue, counts, oldest] = answer as [
    Values,
    Values,
    Values,
    readonly number[],
    Values,
  ]
  const [openRecordCount, openDataBytes, openFirstArrivalMs] = open
  const [paused, braked, failureCount, lastFailure, recordCount, dataBytes] = queue
  const [queuedCount = 0, inFlightCount = 0, parkedCount = 0] = counts
  return {
    books: booksOf(columns),
    queue: {
      state: stateOf(paused === '1', braked === '1', Number(failureCount ?? 0)),
      waitingCount: queuedCount - inFlightCount - parkedCount,
      inFlightCount,
      parkedCount,
      recordCount: Number(recordCount ?? 0),
      dataBytes: Number(dataBytes ?? 0),
      oldestArrivalMs: numberOf(oldest[1]),
      lastFailure: failureOf(lastFailure),
    },
    open: {
      recordCount: Number(openRecordCount ?? 0),
      dataBytes: Number(openDataBytes ?? 0),
      firstArrivalMs: numberOf(openFirstArrivalMs),
    },
  }
}

function stateOf(isPaused: boolean, isBraked: boolean, failureCount: number): QueueState {
  if (isPaused) return 'paused'
  if (isBraked) return 'braked'
  return failureCount > 0 ? 'suspect' : 'running'
}

function failureOf(json: string | null | undefined): Failure | undefined {
  return typeof json === 'string' ? (JSON.parse(json) as Failure) : undefined
}

function numberOf(value: string | null | undefined): number | undefined {
  return typeof value === 'string' ? Number(value) : undefined
}
