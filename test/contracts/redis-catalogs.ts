import { parseBackend } from '../../src/backend.ts'
import type { RedisPlace } from '../../src/backend.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { Clock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { BatchIds } from '../../src/batch.ts'
import { RedisCatalog } from '../../src/redis/catalog/catalog.ts'
import { connect, disconnect } from '../../src/redis/connection.ts'
import { Keys } from '../../src/redis/keys.ts'
import { Lanes } from '../../src/redis/lanes.ts'
import { Scripts } from '../../src/redis/scripts.ts'
import type { RedisClient, ScriptRunner } from '../../src/redis/scripts.ts'

const ids = new BatchIds(systemClock)

/** A prefix that nobody else uses, so that tests may share a server. */
export function placeAt(url: string): RedisPlace {
  const backend = parseBackend(`${url}?prefix=${ids.next()}`)
  if (backend.kind !== 'redis') throw new Error('Cannot test on the embedded backend')
  return backend.place
}

/** One process's catalog, with what it works on. */
export interface RedisProcess extends AsyncDisposable {
  readonly client: RedisClient
  readonly keys: Keys
  readonly lanes: Lanes
  readonly scripts: Scripts
  readonly catalog: RedisCatalog
}

export interface RedisProcessOptions {
  /** What is durable at once; default: whatever Redis has answered. */
  readonly durable?: (scripts: Scripts) => ScriptRunner
  readonly receiptsPerLaneMax?: number
  readonly onGone?: (streamId: string) => Promise<void>
  /** Default: the system's. */
  readonly clock?: Clock
}

export function openProcess(place: RedisPlace, options: RedisProcessOptions = {}): RedisProcess {
  const { durable = (scripts) => scripts, ...facts } = options
  const client = connect({ place, name: 'test', logger: silentLogger })
  const keys = new Keys(place.prefix)
  const lanes = new Lanes(client, new Scripts(client), keys)
  const scripts = new Scripts(client)
  const catalog = new RedisCatalog({
    clock: systemClock,
    ...facts,
    place,
    client,
    scripts,
    durable: durable(scripts),
    keys,
    lanes,
    logger: silentLogger,
  })
  return {
    client,
    keys,
    lanes,
    scripts,
    catalog,
    async [Symbol.asyncDispose]() {
      await catalog.close()
      disconnect(client)
    },
  }
}

/** As if each first answer were lost: the script is run once more, and only that answer is heard. */
export function runTwice(scripts: ScriptRunner): ScriptRunner {
  return {
    async run(...call) {
      await scripts.run(...call)
      return scripts.run(...call)
    },
    async runBinary(...call) {
      await scripts.runBinary(...call)
      return scripts.runBinary(...call)
    },
  }
}
