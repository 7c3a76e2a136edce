import { afterAll, beforeAll, describe } from 'vitest'
import { available } from '../clients/available.ts'
import { startRedisCluster } from '../servers/redis-cluster.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import { deliveryQueueContract } from './delivery-queue.ts'
import type { OpenQueue } from './delivery-queue.ts'
import { claimsContract } from './delivery-queue-claims.ts'
import { lendingContract } from './delivery-queue-lending.ts'
import { placeAt, runTwice } from './redis-catalogs.ts'
import { fakeWallClock, openQueueProcess } from './redis-queues.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)
const SERVERS = [
  { name: 'Redis queue', start: () => startRedis(), options: {} },
  {
    name: 'Redis queue whose scripts are all run twice',
    start: () => startRedis(),
    options: { scripts: runTwice },
  },
  {
    name: 'Redis cluster queue',
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

  const open: OpenQueue = async (setting) => {
    const opened = new AsyncDisposableStack()
    opened.use(fakeWallClock(setting.clock))
    const place = placeAt(server?.url ?? '')
    const { queue } = opened.use(openQueueProcess({ ...setting, ...options, place, runs: false }))
    return { queue, [Symbol.asyncDispose]: () => opened.disposeAsync() }
  }
  deliveryQueueContract(name, open)
  lendingContract(name, open)
  claimsContract(name, open)
})
