/** What imports do beyond the contract of the store. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TemporaryRedisStore } from '../../../test/contracts/temporary-redis-store.ts'
import { startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import type { SealedBatch } from '../../batch.ts'
import { chunkOf } from '../../chunk.ts'

const BATCH_ID = '01J00000000000000000000000'

let server: RedisServer

beforeAll(async () => {
  server = (await startRedis()) as RedisServer
})
afterAll(() => server[Symbol.asyncDispose]())

test('an import that is under way expires when its process dies, and is not there before', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store } = await place.open()
  const target = place.target()
  async function* chunks() {
    yield chunk('a')
    const attemptKeys = (await place.keysLeft()).filter((key) => key.includes(BATCH_ID))
    expect(attemptKeys).toHaveLength(2)
    for (const key of attemptKeys) {
      expect(key).toMatch(/:(?:chunks|index):01J0{23}\.[0-9a-f]{32}$/)
      expect(await place.client.ttl(key)).toBeGreaterThan(3_590)
      await place.client.del(key)
    }
    yield chunk('b')
  }
  const importing = store.importBatch(target, BATCH_ID, chunks(), 'replay')
  await expect(importing).rejects.toThrow('Cannot import: Redis has lost its chunks')
  expect(await place.keysLeft()).toEqual([`${place.keys.prefix}:{catalog}:lanes`])
})

test('two processes import one batch: it is made once', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const processes = [await place.open(), await place.open()]
  const target = place.target({ laneCount: 4 })
  let arrived = 0
  const { promise: both, resolve } = Promise.withResolvers<void>()
  async function* chunks() {
    arrived += 1
    if (arrived === 2) resolve()
    await both
    yield chunk('a')
  }
  const made = await Promise.all(
    processes.map(({ store }) => store.importBatch(target, BATCH_ID, chunks(), 'replay')),
  )
  expect(made.filter((isMade) => isMade)).toHaveLength(1)
  const [batch] = processes.flatMap(({ sealed }) => sealed)
  expect(await place.texts(batch as SealedBatch)).toEqual(['a'])
  const ttl = await place.client.ttl(place.keys.lane(target.streamId).ofBatch('chunks', BATCH_ID))
  expect(ttl).toBe(-1)
})

test('a batch that has its receipt is not imported again', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store } = await place.open()
  const target = place.target()
  await place.client.hset(place.keys.lane(target.streamId).of('receipts'), BATCH_ID, 'receipt')
  // oxlint-disable-next-line require-yield
  async function* chunks(): AsyncGenerator<never> {
    throw new Error('The chunks were asked for')
  }
  expect(await store.importBatch(target, BATCH_ID, chunks(), 'replay')).toBe(false)
})

function chunk(text: string) {
  return chunkOf([Buffer.from(text)], 1_783_952_116_000)
}
