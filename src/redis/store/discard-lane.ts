import type { Clock } from '../../base/clock.ts'
import { insist } from '../insist.ts'
import type { Keys } from '../keys.ts'
import type { LaneScripts } from './lane-scripts.ts'
import type { Lane } from '../lanes.ts'
import type { RedisClient } from '../scripts.ts'

/** A script drops so many batches, and their chunks are freed in the background. */
const PAGE_SIZE = 100

/** Drops all batches of a lane, open and sealed. */
export async function discardLane(
  lane: Lane,
  options: {
    readonly client: RedisClient
    readonly keys: Keys
    readonly scripts: LaneScripts
    readonly clock: Clock
  },
): Promise<void> {
  const { client, keys, scripts } = options
  const laneKeys = keys.lane(lane.streamId, lane.lane)
  for (;;) {
    const look = () =>
      Promise.all([
        client.hget(laneKeys.of('open'), 'batchId'),
        client.zrange(laneKeys.of('sealed'), 0, String(PAGE_SIZE - 1)),
      ])
    const [open, sealed] = await insist(look, options)
    if (await scripts.discard(lane, open === null ? sealed : [open, ...sealed])) return
  }
}
