/** Composition of what everything on a Redis works with: connections, keys, scripts. */
import { parseBackend } from '../backend.ts'
import type { RedisPlace } from '../backend.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { connect, disconnect } from '../redis/connection.ts'
import { DurableScripts } from '../redis/durable-scripts.ts'
import type { Acknowledge } from '../redis/durable-scripts.ts'
import { Keys } from '../redis/keys.ts'
import { Lanes } from '../redis/lanes.ts'
import { Scripts } from '../redis/scripts.ts'
import type { RedisClient } from '../redis/scripts.ts'
import type { Settings } from '../settings.ts'

export interface RedisService {
  readonly place: RedisPlace
  readonly client: RedisClient
  readonly scripts: Scripts
  readonly durable: DurableScripts
  readonly keys: Keys
  readonly lanes: Lanes
  readonly clock: Clock
  readonly logger: Logger
}

export interface RedisServiceOptions {
  readonly place: RedisPlace
  readonly acknowledge: Acknowledge
  /** What its connections are called. */
  readonly name: string
  readonly clock: Clock
  readonly logger: Logger
}

export function openRedisService(
  { place, acknowledge, name, clock, logger }: RedisServiceOptions,
  resources: AsyncDisposableStack,
): RedisService {
  const client = connect({ place, name, logger })
  resources.defer(() => disconnect(client))
  const durable = new DurableScripts({
    connect: () => connect({ place, name, logger }),
    acknowledge,
    clock,
  })
  resources.defer(() => durable.close())
  const keys = new Keys(place.prefix)
  const lanes = new Lanes(client, durable, keys)
  return { place, client, scripts: new Scripts(client), durable, keys, lanes, clock, logger }
}

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
