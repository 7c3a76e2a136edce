import type { Redis } from 'ioredis'
import { silentLogger } from '../../base/logger.ts'
import type { RedisPlace } from '../../backend.ts'
import { connect, disconnect } from '../../redis/connection.ts'

/** A connection to the Redis that is read, and what is wrong with it. */
export class StreamConnection {
  readonly redis: Redis
  #brokenBy: Error | undefined

  /** @param name shown by CLIENT LIST */
  constructor(place: RedisPlace, name: string) {
    // What breaks it is told of the source, with the stream's name and not at every attempt. Of one
    // server: no other URL is taken.
    this.redis = connect({ place, name, logger: silentLogger }) as Redis
    this.redis.on('error', (error: Error) => {
      this.#brokenBy = error
    })
    this.redis.on('ready', () => {
      this.#brokenBy = undefined
    })
  }

  /** Why there is none just now; a command only says that it has waited for too long. */
  get brokenBy(): Error | undefined {
    return this.#brokenBy
  }

  /** What is still asked fails. */
  end(): void {
    disconnect(this.redis)
  }
}
