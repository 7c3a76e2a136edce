import type { Redis } from 'ioredis'
import type { Logger } from '../../base/logger.ts'
import type { RedisPlace } from '../../backend.ts'
import { connect, disconnect } from '../../redis/connection.ts'

export interface StreamConnectionOptions {
  readonly place: RedisPlace
  readonly name: string
  readonly logger: Logger
}

/** A connection to the Redis that is read, and what is wrong with it. */
export class StreamConnection {
  readonly #redis: Redis
  /** Of what is asked and not answered. */
  readonly #rejects = new Set<(error: Error) => void>()
  #isOver = false
  #brokenBy: Error | undefined

  constructor({ place, ...options }: StreamConnectionOptions) {
    // Of one server: no other URL is taken.
    this.#redis = connect({ place, ...options }) as Redis
    this.#redis.on('error', (error: Error) => {
      this.#brokenBy = error
    })
    this.#redis.on('ready', () => {
      this.#brokenBy = undefined
    })
  }

  /** Why there is none just now; a command only says that it has waited for too long. */
  get brokenBy(): Error | undefined {
    return this.#brokenBy
  }

  /**
   * Settles when the connection is ended at the latest. The client alone would not see to that: ended
   * between two attempts to connect, it forgets what waits for the next.
   */
  async ask(command: (redis: Redis) => Promise<unknown>): Promise<unknown> {
    if (this.#isOver) throw closed()
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#rejects.add(reject)
    command(this.#redis).then(resolve, reject)
    try {
      return await promise
    } finally {
      this.#rejects.delete(reject)
    }
  }

  /** What is still asked fails. */
  end(): void {
    this.#isOver = true
    disconnect(this.#redis)
    for (const reject of this.#rejects) reject(closed())
  }
}

function closed(): Error {
  return new Error('Connection is closed.')
}
