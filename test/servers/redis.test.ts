/** The servers of the tests do what tests ask of them. */
import { Cluster } from 'ioredis'
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { startRedisCluster } from './redis-cluster.ts'
import { startReplica, startSentinels } from './redis-replication.ts'
import { findRedis, startRedis } from './redis.ts'
import type { RedisServer } from './redis.ts'
import { until } from './until.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)

test.runIf(isHere)(
  'what was answered outlives kill -9 where the log is always written',
  async () => {
    await using redis = (await startRedis({ appendonly: 'always' })) as RedisServer
    await redis.call('SET', 'key', 'value')
    await redis.kill()
    await expect(redis.call('PING')).rejects.toThrow('Connection is closed')
    await redis.restart()
    expect(await redis.call('GET', 'key')).toBe('value')
  },
)

test.runIf(isHere)('a server that is full refuses', async () => {
  await using redis = (await startRedis({ maxmemory: '3mb' })) as RedisServer
  const write = () => redis.call('APPEND', 'key', 'x'.repeat(1_000_000))
  await expect(Promise.all([write(), write(), write(), write()])).rejects.toThrow(/^OOM/)
  expect(await redis.info('maxmemory_policy')).toBe('noeviction')
})

test.runIf(isHere)('Valkey', async () => {
  await using valkey = (await startRedis({ program: 'valkey' })) as RedisServer
  expect(await valkey.info('server_name')).toBe('valkey')
})

test.runIf(isHere)('sentinels make a replica the master', async () => {
  await using master = (await startRedis({ appendonly: 'everysec' })) as RedisServer
  await using replica = await startReplica(master)
  await using sentinels = await startSentinels(3, master)
  await master.call('SET', 'key', 'value')
  expect(await master.call('WAIT', 1, 1_000)).toBe(1)
  expect(await sentinels.masterPort()).toBe(master.port)
  await master.kill()
  expect(await sentinels.replaced(master.port)).toBe(replica.port)
  expect(await replica.call('GET', 'key')).toBe('value')
  expect(await replica.call('SET', 'key', 'other')).toBe('OK')
})

test.runIf(isHere)('a cluster moves a slot while it is used', async () => {
  await using cluster = (await startRedisCluster({ masters: 3, replicas: 0 }))!
  const client = new Cluster([...cluster.addresses])
  for (let number = 0; number < 20; number += 1) await client.set(`{tag}:${number}`, number)
  const slot = await cluster.slotOf('{tag}')
  const from = await cluster.ownerOf(slot)
  const to = cluster.nodes.find((node) => node !== from)!
  let stepCount = 0
  await cluster.moveSlot(slot, from, to, async () => {
    stepCount += 1
    expect(await client.get('{tag}:7')).toBe('7')
    await client.set('{tag}:7', 7)
  })
  expect(stepCount).toBeGreaterThan(20)
  expect(await cluster.ownerOf(slot)).toBe(to)
  expect(await client.get('{tag}:7')).toBe('7')
  client.disconnect()
})

test.runIf(isHere)('a replica in a cluster takes over', async () => {
  await using cluster = (await startRedisCluster({ masters: 3, replicas: 1 }))!
  const slot = await cluster.slotOf('key')
  const owner = await cluster.ownerOf(slot)
  await owner.call('SET', 'key', 'value')
  expect(await owner.call('WAIT', 1, 1_000)).toBe(1)
  await owner.kill()
  const successor = await until('a replica takes over', 10_000, async () => {
    const node = await cluster.ownerOf(slot)
    return node === owner ? undefined : node
  })
  expect(await successor.call('GET', 'key')).toBe('value')
  await owner.restart()
  await until('the first master follows', 10_000, async () =>
    (await owner.info('role')) === 'slave' ? true : undefined,
  )
})
