import type { Keys } from '../keys.ts'
import { possibleLanes } from '../lanes.ts'
import type { Lanes } from '../lanes.ts'
import type { RedisClient } from '../scripts.ts'

export interface PauseOptions {
  readonly client: RedisClient
  readonly keys: Keys
  readonly lanes: Lanes
}

/** All lanes that the stream may ever have are paused: one may be opened later. */
export async function pauseStream(
  { client, keys, lanes }: PauseOptions,
  streamId: string,
): Promise<void> {
  await lanes.enter(streamId)
  await Promise.all(
    possibleLanes(streamId).map(({ lane }) =>
      client.hset(keys.lane(streamId, lane).of('queue'), 'paused', 1),
    ),
  )
}
