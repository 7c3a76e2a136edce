import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SeededRandom } from '../../test/fakes/seeded-random.ts'
import { available } from '../../test/clients/available.ts'
import { startRedisCluster } from '../../test/servers/redis-cluster.ts'
import { findRedis, startRedis } from '../../test/servers/redis.ts'
import type { RedisServer } from '../../test/servers/redis.ts'
import {
  contentsOf,
  deliver,
  fill,
  makeStream,
  seal,
  targetOf,
} from '../../test/transfer/filled-place.ts'
import { Places } from '../../test/transfer/places.ts'
import { parseBackend } from '../backend.ts'
import { chunkOf } from '../chunk.ts'
import { silentLogger } from '../base/logger.ts'
import { connect, disconnect } from '../redis/connection.ts'
import { exportAll } from './export.ts'
import { importAll } from './import.ts'

const quietly = (): void => {}
const isHere = available('Redis', (await findRedis()) !== undefined)
const SERVERS = [
  { name: 'redis', start: () => startRedis({ appendonly: 'no' }) },
  { name: 'redis cluster', start: () => startRedisCluster({ masters: 3, replicas: 0 }) },
]

describe.runIf(isHere).each(SERVERS)('$name', ({ name, start }) => {
  let url = ''
  let server: Awaited<ReturnType<typeof start>>
  beforeAll(async () => {
    server = await start()
    url = server?.url ?? ''
  })
  afterAll(() => server?.[Symbol.asyncDispose]())

  test(`${name}: everything moves there from a data directory, and back to another`, async () => {
    await using places = await Places.make()
    const source = await places.embedded('source')
    await fill(source)
    await exportAll(source, places.file('there'), quietly)
    const middle = await places.redis(url, 'moving')
    const { imported } = await importAll(middle, places.file('there'), quietly)
    expect(await contentsOf(middle)).toEqual(await contentsOf(source))
    await middle.close()

    const again = await places.redis(url, 'moving')
    const { sizeBytes: _size, ...exported } = await exportAll(again, places.file('back'), quietly)
    expect(exported).toEqual({ ...imported, missingCount: 0, strayCount: 0 })
    const target = await places.embedded('target')
    await importAll(target, places.file('back'), quietly)
    expect(await contentsOf(target)).toEqual(await contentsOf(source))
  })

  test(`${name}: what is open, and in several lanes, is sealed and moves`, async () => {
    await using places = await Places.make()
    const source = await places.redis(url, 'open')
    const { plain } = await fill(source)
    const spread = { ...targetOf(plain), laneCount: 3, sizeBytesMax: 10 }
    for (const record of ['12345678', '23456789', '34567890', '45678901']) {
      await seal(source, spread, [[record]])
    }
    await source.store.append(targetOf(plain), chunk('open'))
    await exportAll(source, places.file('all'), quietly)
    const target = await places.embedded('target')
    await importAll(target, places.file('all'), quietly)
    const moved = await contentsOf(target)
    expect(moved).toEqual(await contentsOf(source))
    expect(JSON.stringify(moved.batches)).toContain('"open"')
  })

  test(`${name}: a file is imported twice, and again after a batch was delivered`, async () => {
    await using places = await Places.make()
    const source = await places.embedded('source')
    const { batches } = await fill(source)
    await exportAll(source, places.file('all'), quietly)
    const target = await places.redis(url, 'twice')
    await importAll(target, places.file('all'), quietly)
    for await (const batch of target.store.list()) {
      if (batch.batchId === batches[1].batchId) await deliver(target, batch)
    }
    const before = await contentsOf(target)
    expect(await importAll(target, places.file('all'), quietly)).toMatchObject({
      imported: { streamCount: 0, batchCount: 0 },
      knownStreamCount: 3,
      knownBatchCount: 5,
    })
    expect(await contentsOf(target)).toEqual(before)
  })

  test(`${name}: an import that ended half-way is taken up`, async () => {
    await using places = await Places.make()
    const source = await places.embedded('source')
    await fill(source)
    await exportAll(source, places.file('all'), quietly)
    const target = await places.redis(url, 'half')
    const dying = importAll(target, places.file('all'), ({ batchCount }) => {
      if (batchCount === 4) throw new Error('The process is dead')
    })
    await expect(dying).rejects.toThrow('dead')
    await target.close()
    const again = await places.redis(url, 'half')
    await importAll(again, places.file('all'), quietly)
    expect(await contentsOf(again)).toEqual(await contentsOf(source))
  })

  test(`${name}: streams that were deleted there less than a day ago are imported`, async () => {
    await using places = await Places.make()
    const source = await places.embedded('source')
    const { plain, encrypted } = await fill(source)
    await exportAll(source, places.file('all'), quietly)
    const target = await places.redis(url, 'deleted')
    for (const stream of [plain, encrypted]) {
      await target.catalog.createStream(stream)
      await target.catalog.deleteStream(stream.streamId)
    }
    await importAll(target, places.file('all'), quietly)
    expect(await contentsOf(target)).toEqual(await contentsOf(source))
  })

  test(`${name}: while a service is connected nothing moves, unless that is meant`, async () => {
    await using places = await Places.make()
    const source = await places.redis(url, 'busy')
    await fill(source)
    const backend = parseBackend(url)
    if (backend.kind !== 'redis') throw new Error('Cannot test on the embedded backend')
    const service = connect({ place: backend.place, name: 'node', logger: silentLogger })
    try {
      await service.ping()
      const refusal = /^Cannot move data while a service uses the Redis: \d+ of its connections /
      await expect(places.redis(url, 'busy')).rejects.toThrow(refusal)
      // Begun before the service was.
      await expect(exportAll(source, places.file('all'), quietly)).rejects.toThrow(refusal)
      const forced = await places.redis(url, 'busy', true)
      expect(await exportAll(forced, places.file('all'), quietly)).toMatchObject({ streamCount: 3 })
    } finally {
      disconnect(service)
    }
  })
})

test.runIf(isHere)('an import into a Redis that is full goes on when there is room', async () => {
  await using places = await Places.make()
  await using redis = (await startRedis({ maxmemory: '5mb' })) as RedisServer
  const source = await places.embedded('source')
  const stream = makeStream('large')
  await source.catalog.createStream(stream)
  const random = new SeededRandom(1)
  for (let count = 0; count < 20; count += 1) {
    const record = Array.from({ length: 400_000 }, () => random.integer(0, 9)).join('')
    await seal(source, targetOf(stream), [[record]])
  }
  await exportAll(source, places.file('all'), quietly)
  const target = await places.redis(redis.url, 'full')
  const refused = importAll(target, places.file('all'), quietly)
  await expect(refused).rejects.toMatchObject({ name: 'AppendError', reason: 'full' })
  expect(await target.catalog.streams()).toEqual([])
  await target.close()
  await redis.call('CONFIG', 'SET', 'maxmemory', '100mb')
  const again = await places.redis(redis.url, 'full')
  await importAll(again, places.file('all'), quietly)
  expect(await contentsOf(again)).toEqual(await contentsOf(source))
})

function chunk(record: string) {
  return chunkOf([Buffer.from(record)], 1_783_952_116_000)
}
