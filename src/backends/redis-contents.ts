/** Composition of what a delivery thread has of the Redis backend: connections of its own. */
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { KeyRing } from '../batch-store.ts'
import { RedisBatchContents } from '../redis/store/batch-contents.ts'
import type { ThreadContents } from './opened-backend.ts'
import { openRedisService } from './redis-service.ts'

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
  const options = { place, acknowledge, name: 'thread', clock, logger }
  return new RedisBatchContents({ ...openRedisService(options, resources), keyRing })
}
