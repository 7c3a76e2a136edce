import { LANE_COUNT_MAX } from '../delivery-stream.ts'
import type { Keys } from './keys.ts'
import type { RedisClient, ScriptRunner } from './scripts.ts'

export interface Lane {
  readonly streamId: string
  readonly lane: number
}

/** All that a stream may ever have. */
export function possibleLanes(streamId: string): readonly Lane[] {
  return lanesFrom(0, LANE_COUNT_MAX).map((lane) => ({ streamId, lane }))
}

/**
 * Which lanes there are. A lane is entered before anything is put into it, and stays for as long as its
 * stream, also when that is spread less: what is left in it is still to be found.
 */
export class Lanes {
  readonly #client: RedisClient
  readonly #durable: ScriptRunner
  readonly #keys: Keys
  /** What is known to be entered. */
  readonly #counts = new Map<string, number>()

  /** @param durable runs what must not be lost: on a cluster the lane itself lies on another node */
  constructor(client: RedisClient, durable: ScriptRunner, keys: Keys) {
    this.#client = client
    this.#durable = durable
    this.#keys = keys
  }

  /** Enters the first `count` lanes of a stream; costs nothing when it has been done. */
  async enter(streamId: string, count = 1): Promise<void> {
    const known = this.#counts.get(streamId) ?? 0
    if (known >= count) return
    const fields = lanesFrom(known, count).map((lane) => fieldOf({ streamId, lane }))
    await this.#durable.run('enter-lanes', [this.#keys.catalog('lanes')], fields)
    this.#counts.set(streamId, count)
  }

  async of(streamId: string): Promise<readonly Lane[]> {
    const possible = possibleLanes(streamId)
    const fields = possible.map(fieldOf)
    const found = await this.#client.hmget(this.#keys.catalog('lanes'), ...fields)
    return possible.filter((_, index) => found[index] !== null)
  }

  /** Of all streams. */
  async all(): Promise<readonly Lane[]> {
    const fields = await this.#client.hkeys(this.#keys.catalog('lanes'))
    this.#forgetLost(new Set(fields))
    return fields.toSorted().map((field) => {
      const [streamId = '', lane] = field.split('/')
      return { streamId, lane: Number(lane) }
    })
  }

  /** Forgets a deleted stream. */
  async remove(streamId: string): Promise<void> {
    this.#counts.delete(streamId)
    const fields = possibleLanes(streamId).map(fieldOf)
    await this.#client.hdel(this.#keys.catalog('lanes'), ...fields)
  }

  /** A Redis that has failed over may know less than it did; what is missing is entered again. */
  #forgetLost(fields: ReadonlySet<string>): void {
    for (const [streamId, count] of this.#counts) {
      const isWhole = lanesFrom(0, count).every((lane) => fields.has(fieldOf({ streamId, lane })))
      if (!isWhole) this.#counts.delete(streamId)
    }
  }
}

function lanesFrom(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index)
}

function fieldOf({ streamId, lane }: Lane): string {
  return `${streamId}/${lane}`
}
