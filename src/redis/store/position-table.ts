import type { Clock } from '../../base/clock.ts'
import type { PartitionPosition } from '../../chunk-origin.ts'
import { insist } from '../insist.ts'
import type { Keys } from '../keys.ts'
import type { RedisClient } from '../scripts.ts'
import type { LaneScripts } from './lane-scripts.ts'

/** Redis does nothing else while it answers. */
const PAGE_SIZE = 1_000
const ENTRY = /^(?<sequence>\d+) (?<atMs>\S+) (?<position>.*)$/s

export interface PositionTableOptions {
  readonly client: RedisClient
  readonly keys: Keys
  readonly scripts: LaneScripts
  readonly clock: Clock
}

/** How far the sources of streams are read; each append enters it with its chunks (append.lua). */
export class PositionTable {
  readonly #options: PositionTableOptions

  constructor(options: PositionTableOptions) {
    this.#options = options
  }

  async of(streamId: string): Promise<readonly PartitionPosition[]> {
    const keys = this.#options.keys.lane(streamId)
    const positions = await this.#entries(keys.of('positions'))
    const requests = await this.#entries(keys.of('requests'))
    return [
      ...[...positions].map(([partition, entry]) => parsed(partition, entry)),
      ...[...requests].map(([partition, entry]) => ({
        ...parsed(partition, entry),
        passing: true as const,
      })),
    ]
  }

  async restore(streamId: string, positions: readonly PartitionPosition[]): Promise<void> {
    for (let start = 0; start < positions.length; start += PAGE_SIZE) {
      const page = positions.slice(start, start + PAGE_SIZE)
      if (!(await this.#options.scripts.restorePositions({ streamId, lane: 0 }, page))) {
        throw new Error(`Cannot restore positions of stream ${streamId}: it is deleted`)
      }
    }
  }

  async #entries(key: string): Promise<ReadonlyMap<string, string>> {
    const { client } = this.#options
    const entries = new Map<string, string>()
    let cursor = '0'
    do {
      const from = cursor
      const ask = () => client.hscan(key, from, 'COUNT', PAGE_SIZE)
      const [next, fields] = await insist(ask, this.#options)
      for (let index = 0; index + 1 < fields.length; index += 2) {
        entries.set(fields[index] ?? '', fields[index + 1] ?? '')
      }
      cursor = next
    } while (cursor !== '0')
    return entries
  }
}

function parsed(partition: string, entry: string): PartitionPosition {
  const { sequence, atMs, position = '' } = ENTRY.exec(entry)?.groups ?? {}
  return { partition, sequence: Number(sequence), position, atMs: Number(atMs) }
}
