import { connect } from './connection.ts'
import type { ConnectionOptions } from './connection.ts'
import type { RedisClient } from './scripts.ts'

export interface SubscriptionOptions extends ConnectionOptions {
  readonly channel: string
  readonly onMessage: () => void
}

/**
 * A client that listens to a channel, from each time on that it has connected. What is said meanwhile
 * is missed: a message is only a reason to look sooner.
 */
export function subscribe({ channel, onMessage, ...options }: SubscriptionOptions): RedisClient {
  const { name, logger } = options
  const client = connect(options)
  client.on('message', onMessage)
  client.on('ready', () => {
    client.subscribe(channel).catch((error: unknown) => {
      logger.debug({ name, error }, 'Redis is listened to from the next connection on.')
    })
  })
  return client
}
