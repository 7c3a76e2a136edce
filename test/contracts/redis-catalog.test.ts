import { afterAll, beforeAll, describe } from 'vitest'
import type { RedisPlace } from '../../src/backend.ts'
import { available } from '../clients/available.ts'
import { startRedisCluster } from '../servers/redis-cluster.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import { catalogContract } from './catalog.ts'
import type { CatalogUnderTest } from './catalog.ts'
import { openProcess, placeAt, runTwice } from './redis-catalogs.ts'
import type { RedisProcessOptions } from './redis-catalogs.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)
const SERVERS = [
  { name: 'redis catalog', start: () => startRedis(), options: {} },
  {
    name: 'redis catalog whose scripts are all run twice',
    start: () => startRedis(),
    options: { durable: runTwice },
  },
  {
    name: 'redis cluster catalog',
    start: () => startRedisCluster({ masters: 3, replicas: 0 }),
    options: {},
  },
]

describe.runIf(isHere).each(SERVERS)('$name', ({ name, start, options }) => {
  let server: Awaited<ReturnType<typeof start>>
  beforeAll(async () => {
    server = await start()
  })
  afterAll(() => server?.[Symbol.asyncDispose]())
  catalogContract(name, async () => openAt(placeAt(server?.url ?? ''), options))
})

function openAt(place: RedisPlace, options: RedisProcessOptions): CatalogUnderTest {
  const processes = new AsyncDisposableStack()
  const { catalog } = processes.use(openProcess(place, options))
  return {
    catalog,
    another: () => processes.use(openProcess(place, options)).catalog,
    async restart() {
      await processes.disposeAsync()
      return openAt(place, options)
    },
    [Symbol.asyncDispose]: () => processes.disposeAsync(),
  }
}
