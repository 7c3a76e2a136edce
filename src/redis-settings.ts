/** What the settings say of the Redis, in its room's words. */
import { parseBackend } from './backend.ts'
import type { RedisPlace } from './backend.ts'
import type { Acknowledge } from './redis/durable-scripts.ts'
import type { Settings } from './settings.ts'

export function placeOf({ backend, redisPassword }: Settings): RedisPlace {
  const parsed = parseBackend(backend)
  if (parsed.kind !== 'redis') throw new Error('Cannot open a Redis: the backend is embedded')
  return { ...parsed.place, ...(redisPassword !== undefined && { password: redisPassword }) }
}

export function acknowledgeOf(settings: Settings): Acknowledge {
  return {
    fsync: settings.redisFsync,
    replicas: settings.redisReplicas,
    waitAof: settings.redisWaitAof,
    timeoutMs: settings.redisAckTimeoutMs,
  }
}
