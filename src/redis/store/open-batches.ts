import type { BatchId } from '../../batch.ts'
import type { Keys } from '../keys.ts'
import type { Lane } from '../lanes.ts'
import type { RedisClient } from '../scripts.ts'

/** The open batch of a lane, as Redis has it. */
export interface LaneOpenBatch extends Lane {
  readonly batchId: BatchId
  readonly recordCount: number
  readonly dataBytes: number
  readonly firstArrivalMs: number
  /** Wall time. */
  readonly dueAtMs: number
}

const FIELDS = ['recordCount', 'dataBytes', 'firstArrivalMs', 'dueAtMs']

export async function findOpen(
  client: RedisClient,
  keys: Keys,
  { streamId, lane }: Lane,
): Promise<LaneOpenBatch | undefined> {
  const [batchId, ...numbers] = await client.hmget(
    keys.lane(streamId, lane).of('open'),
    'batchId',
    ...FIELDS,
  )
  if (typeof batchId !== 'string') return undefined
  const [recordCount = 0, dataBytes = 0, firstArrivalMs = 0, dueAtMs = 0] = numbers.map(Number)
  return { streamId, lane, batchId, recordCount, dataBytes, firstArrivalMs, dueAtMs }
}

export function isOpen(open: LaneOpenBatch | undefined): open is LaneOpenBatch {
  return open !== undefined
}
