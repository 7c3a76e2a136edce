import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { available } from '../../test/clients/available.ts'
import { openProcess, placeAt } from '../../test/contracts/redis-catalogs.ts'
import { findRedis, startRedis } from '../../test/servers/redis.ts'
import type { RedisServer } from '../../test/servers/redis.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)

describe.runIf(isHere)('lanes', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = (await startRedis()) as RedisServer
  })
  afterAll(() => server?.[Symbol.asyncDispose]())

  test('a lane stays when its stream is spread less, and goes with its stream', async () => {
    await using process = openProcess(placeAt(server.url))
    const { lanes } = process
    await lanes.enter('stream', 3)
    await lanes.enter('stream', 1)
    await lanes.enter('other')
    const entered = [0, 1, 2].map((lane) => ({ streamId: 'stream', lane }))
    expect(await lanes.of('stream')).toEqual(entered)
    expect(await lanes.all()).toEqual([{ streamId: 'other', lane: 0 }, ...entered])
    await lanes.remove('stream')
    expect(await lanes.of('stream')).toEqual([])
    await lanes.enter('stream')
    expect(await lanes.of('stream')).toEqual([{ streamId: 'stream', lane: 0 }])
  })

  test('a lane that a Redis has forgotten is entered again', async () => {
    await using process = openProcess(placeAt(server.url))
    const { client, keys, lanes } = process
    await lanes.enter('stream', 2)
    await client.hdel(keys.catalog('lanes'), 'stream/1')
    expect(await lanes.all()).toHaveLength(1)
    await lanes.enter('stream', 2)
    expect(await lanes.all()).toHaveLength(2)
  })
})
