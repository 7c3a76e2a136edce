/** Composition of what a delivery thread has of the Redis backend: connections of its own. */
import type { Clock } from './base/clock.ts'
import type { Logger } from './base/logger.ts'
import type { KeyRing } from './batch-store.ts'
import type { ThreadContents } from './opened-backend.ts'
import { RedisBatchContents } from './redis/batch-contents.ts'
import { connect, disconnect } from './redis/connection.ts'
import { DurableScripts } from './redis/durable-scripts.ts'
import { Keys } from './redis/keys.ts'
import { Scripts } from './redis/scripts.ts'

export interface RedisContentsContext {
  readonly keyRing: KeyRing
  readonly clock: Clock
  readonly logger: Logger
}

export function openRedisContents(
  { place, acknowledge }: Extract<ThreadContents, { kind: 'redis' }>,
  { keyRing, clock, logger }: RedisContentsContext,
  resources: AsyncDisposableStack,
): RedisBatchContents {
  const client = connect({ place, name: 'thread', logger })
  resources.defer(() => disconnect(client))
  const durable = new DurableScripts({
    connect: () => connect({ place, name: 'durable', logger }),
    acknowledge,
    clock,
  })
  resources.defer(() => durable.close())
  return new RedisBatchContents({
    client,
    scripts: new Scripts(client),
    durable,
    keys: new Keys(place.prefix),
    keyRing,
    clock,
    logger,
  })
}
