import type { RedisPlace } from '../../backend.ts'
import type { Logger } from '../../base/logger.ts'
import { disconnect } from '../connection.ts'
import type { Keys } from '../keys.ts'
import type { RedisClient } from '../scripts.ts'
import { subscribe } from '../subscription.ts'

export interface ReleaseNewsOptions {
  readonly place: RedisPlace
  readonly client: RedisClient
  readonly keys: Keys
  readonly logger: Logger
  readonly listens: boolean
  readonly onNews: () => void
}

/** Word among processes that a job was added. Whoever misses it finds the job by looking. */
export class ReleaseNews {
  readonly #options: ReleaseNewsOptions
  readonly #channel: string
  readonly #subscriber: RedisClient | undefined

  constructor(options: ReleaseNewsOptions) {
    this.#options = options
    const { place, keys, logger, listens, onNews } = options
    this.#channel = `${keys.prefix}:released`
    if (!listens) return
    const channel = this.#channel
    this.#subscriber = subscribe({ place, name: 'released', logger, channel, onMessage: onNews })
  }

  tell(): void {
    const { client } = this.#options
    client.publish(this.#channel, '').catch((error: unknown) => this.#report(error))
  }

  close(): void {
    if (this.#subscriber !== undefined) disconnect(this.#subscriber)
  }

  #report(error: unknown): void {
    this.#options.logger.debug({ error }, 'Other processes may learn later of a batch to deliver.')
  }
}
