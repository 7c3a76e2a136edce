import { afterAll, beforeAll, expect, test } from 'vitest'
import { ManualClock } from '../../../test/contracts/manual-clock.ts'
import { TemporaryRedisStore } from '../../../test/contracts/temporary-redis-store.ts'
import { startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import { chunkOf } from '../../chunk.ts'

const MIB = 1024 * 1024

let server: RedisServer

beforeAll(async () => {
  server = (await startRedis({ maxmemory: '64mb' })) as RedisServer
})
afterAll(() => server[Symbol.asyncDispose]())

const noise = (sizeBytes: number) => {
  const data = Buffer.alloc(sizeBytes)
  for (let index = 0; index < sizeBytes; index += 1) data[index] = Math.random() * 256
  return chunkOf([data], 1_783_952_116_000)
}
const FULL = { name: 'AppendError', reason: 'full' }

test('appends are refused while the share of memory is used up, and taken again by themselves', async () => {
  const clock = new ManualClock()
  await using place = new TemporaryRedisStore(server.url, clock)
  const { store } = await place.open({ limits: { memoryShareMax: 0.5 } })
  const target = place.target()
  expect(store.usage().accepting).toBe(true)
  await place.client.setrange(`${place.keys.prefix}:filler`, 40 * MIB, 'end')
  clock.advance(500)
  await store.sealDue(clock.monotonicMs())
  expect(store.usage().accepting).toBe(false)
  await expect(store.append(target, noise(100))).rejects.toMatchObject(FULL)
  await place.client.del(`${place.keys.prefix}:filler`)
  clock.advance(500)
  await store.sealDue(clock.monotonicMs())
  await store.append(target, noise(100))
  expect(store.usage().accepting).toBe(true)
  await store.discard(target.streamId)
})

test('what is sent counts before the servers are looked at again', async () => {
  await using place = new TemporaryRedisStore(server.url, new ManualClock())
  const { store } = await place.open({ limits: { memoryShareMax: 0.25 } })
  const target = place.target({ sizeBytesMax: 100 * MIB })
  const large = noise(4 * MIB)
  const appends = Array.from({ length: 10 }, () => store.append(target, large))
  const outcomes = await Promise.allSettled(appends)
  const taken = outcomes.filter(({ status }) => status === 'fulfilled').length
  expect(taken).toBeGreaterThan(0)
  expect(taken).toBeLessThanOrEqual(4)
  expect(outcomes.at(-1)).toMatchObject({ reason: FULL })
  expect(Number(await server.info('used_memory'))).toBeLessThan(24 * MIB)
  await store.discard(target.streamId)
})

test('a Redis that is full refuses appends whole, and still seals and removes', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store, sealed } = await place.open({ limits: { memoryShareMax: 100 } })
  const target = place.target({ sizeBytesMax: 100 * MIB })
  await store.append(target, noise(1_000))
  await place.client.config('SET', 'maxmemory', '1mb')
  try {
    await expect(store.append(target, noise(2_000))).rejects.toMatchObject(FULL)
    const another = { ...target, dataKey: { plain: Buffer.alloc(32), wrapped: 'another' } }
    await expect(store.append(another, noise(2_000))).rejects.toMatchObject(FULL)
    await store.seal(target.streamId, 'flush')
    expect(sealed).toMatchObject([{ recordCount: 1, sealReason: 'flush' }])
    const keys = place.keys.lane(target.streamId)
    expect(await place.client.zcard(keys.of('queued'))).toBe(1)
    for (const batch of sealed) await store.remove(batch)
    expect(store.usage()).toMatchObject({ batchCount: 0, storedBytes: 0 })
  } finally {
    await place.client.config('SET', 'maxmemory', '64mb')
  }
  await store.append(target, noise(2_000))
})

test('the quota and the count of batches hold over all processes, some seconds later', async () => {
  const clock = new ManualClock()
  await using place = new TemporaryRedisStore(server.url, clock)
  const [one, other] = [
    await place.open({ limits: { batchesMax: 2 } }),
    await place.open({ limits: { quotaBytes: 10_000 } }),
  ]
  const append = ({ store }: typeof one, facts = {}) =>
    store.append(place.target({ sizeBytesMax: 1, ...facts }), noise(4_000))
  await append(one)
  await append(other)
  await append(other)
  await expect(append(other)).rejects.toMatchObject(FULL)
  clock.advance(5_000)
  await one.store.sealDue(clock.monotonicMs())
  expect(one.store.usage()).toMatchObject({ batchCount: 3 })
  await expect(append(one)).rejects.toMatchObject(FULL)
  const third = await place.open()
  expect(third.store.usage()).toEqual({ ...one.store.usage(), accepting: true })
})
