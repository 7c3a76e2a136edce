import type { Clock } from '../base/clock.ts'
import type { PartitionLeases } from '../partition-leases.ts'
import { InsistentScripts } from './insistent-scripts.ts'
import type { Keys } from './keys.ts'
import type { ScriptRunner } from './scripts.ts'

const RENEW_MS = 1_000

export interface RedisPartitionLeasesOptions {
  readonly scripts: ScriptRunner
  readonly keys: Keys
  readonly clock: Clock
}

/** The partitions of a source, shared out among the processes on a Redis (renew-leases.lua). */
export class RedisPartitionLeases implements PartitionLeases {
  readonly renewMs = RENEW_MS
  readonly #scripts: ScriptRunner
  readonly #keys: Keys
  readonly #clock: Clock
  /** Name of this process, unlike any other. */
  readonly #node: string

  constructor({ scripts, keys, clock }: RedisPartitionLeasesOptions) {
    this.#scripts = new InsistentScripts(scripts, clock)
    this.#keys = keys
    this.#clock = clock
    this.#node = clock.randomBytes(12).toString('base64url')
  }

  async renew(streamId: string, partitions: readonly string[]): Promise<readonly string[]> {
    const answer = await this.#scripts.run('renew-leases', this.#keysOf(streamId), [
      this.#node,
      this.#clock.nowMs(),
      3 * this.renewMs,
      ...partitions,
    ])
    return answer as string[]
  }

  async release(streamId: string): Promise<void> {
    await this.#scripts.run('release-leases', this.#keysOf(streamId), [this.#node])
  }

  #keysOf(streamId: string): readonly string[] {
    const keys = this.#keys.lane(streamId)
    return [keys.of('readers'), keys.of('leases')]
  }
}
