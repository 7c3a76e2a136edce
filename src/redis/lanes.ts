import { LANE_COUNT_MAX } from '../delivery-stream.ts'
import type { Keys } from './keys.ts'
import type { RedisClient } from './scripts.ts'

export interface Lane {
  readonly streamId: string
  readonly lane: number
}

/**
 * Which lanes there are. A lane is entered before anything is put into it, and stays for as long as its
 * stream, also when that is spread less: what is left in it is still to be found.
 */
export class Lanes {
  readonly #client: RedisClient
  readonly #keys: Keys
  /** What is known to be entered. */
  readonly #counts = new Map<string, number>()

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client
    this.#keys = keys
  }

  /** Enters the first `count` lanes of a stream; costs nothing when it has been done. */
  async enter(streamId: string, count = 1): Promise<void> {
    const known = this.#counts.get(streamId) ?? 0
    if (known >= count) return
    const key = this.#keys.catalog('lanes')
    // Each only once and never changed: so whoever comes second does no harm.
    const fields = Array.from(
      { length: count - known },
      (_, index) => `${streamId}/${known + index}`,
    )
    await this.#client.hset(key, Object.fromEntries(fields.map((field) => [field, 1])))
    this.#counts.set(streamId, count)
  }

  async of(streamId: string): Promise<readonly Lane[]> {
    const fields = Array.from({ length: LANE_COUNT_MAX }, (_, lane) => `${streamId}/${lane}`)
    const found = await this.#client.hmget(this.#keys.catalog('lanes'), ...fields)
    return [...found.keys()]
      .filter((lane) => found[lane] !== null)
      .map((lane) => ({ streamId, lane }))
  }

  /** Of all streams. */
  async all(): Promise<readonly Lane[]> {
    const fields = await this.#client.hkeys(this.#keys.catalog('lanes'))
    return fields.toSorted().map((field) => {
      const [streamId = '', lane] = field.split('/')
      return { streamId, lane: Number(lane) }
    })
  }

  /** Forgets a deleted stream. */
  async remove(streamId: string): Promise<void> {
    this.#counts.delete(streamId)
    const fields = Array.from({ length: LANE_COUNT_MAX }, (_, lane) => `${streamId}/${lane}`)
    await this.#client.hdel(this.#keys.catalog('lanes'), ...fields)
  }
}
