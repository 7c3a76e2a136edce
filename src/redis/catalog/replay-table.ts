import { BATCH_ID_LENGTH } from '../../batch.ts'
import type { BatchId } from '../../batch.ts'
import { CatalogConflict } from '../../catalog.ts'
import type { KnownReplayedPart, ReplayedPart } from '../../catalog.ts'
import { findInLanes } from '../for-lanes.ts'
import type { Keys } from '../keys.ts'
import type { Lanes } from '../lanes.ts'
import type { RedisClient, ScriptRunner } from '../scripts.ts'

const CONFLICT = 0
const GONE = -2

export interface ReplayTableOptions {
  readonly client: RedisClient
  readonly durable: ScriptRunner
  readonly keys: Keys
  readonly lanes: Lanes
}

/** Replayed parts, in lane 0 of their stream, where their batches are made, too. */
export class ReplayTable {
  readonly #options: ReplayTableOptions

  constructor(options: ReplayTableOptions) {
    this.#options = options
  }

  /** @throws CatalogConflict when somebody else replays the source, or the stream is deleted */
  async record(part: ReplayedPart, knownCount: number): Promise<void> {
    const { streamId, source, batchId } = part
    const { durable, keys, lanes } = this.#options
    await lanes.enter(streamId)
    const laneKeys = keys.lane(streamId)
    const answer = await durable.run(
      'record-replay',
      [laneKeys.of('gone'), laneKeys.of('replays'), laneKeys.of('replayorder')],
      [batchId, source, JSON.stringify(part), knownCount],
    )
    if (answer === CONFLICT) {
      throw new CatalogConflict(`Cannot replay ${source}: somebody else is replaying it`)
    }
    if (answer === GONE) {
      await lanes.remove(streamId)
      throw new CatalogConflict(`Cannot replay ${source}: the stream is deleted`)
    }
  }

  async find(batchId: BatchId): Promise<KnownReplayedPart | undefined> {
    const lanes = await this.#options.lanes.all()
    const firstLanes = lanes.filter(({ lane }) => lane === 0)
    return findInLanes(firstLanes, async ({ streamId }) => {
      const [part] = await this.#read(streamId, [batchId])
      return part
    })
  }

  /** In the order in which they were entered. */
  async ofSource(streamId: string, source: string): Promise<KnownReplayedPart[]> {
    const { client, keys } = this.#options
    const order = await client.hget(keys.lane(streamId).of('replayorder'), source)
    if (order === null) return []
    const idCount = order.length / BATCH_ID_LENGTH
    const idAt = (index: number): BatchId =>
      order.slice(index * BATCH_ID_LENGTH, (index + 1) * BATCH_ID_LENGTH)
    return this.#read(
      streamId,
      Array.from({ length: idCount }, (_, index) => idAt(index)),
    )
  }

  async #read(streamId: string, batchIds: readonly BatchId[]): Promise<KnownReplayedPart[]> {
    const { client, keys } = this.#options
    const laneKeys = keys.lane(streamId)
    const [stored, imported] = await Promise.all([
      client.hmget(laneKeys.of('replays'), ...batchIds),
      client.smismember(laneKeys.of('imported'), ...batchIds),
    ])
    return stored.flatMap((json, index) =>
      json === null
        ? []
        : [{ ...(JSON.parse(json) as ReplayedPart), imported: imported[index] === 1 }],
    )
  }
}
