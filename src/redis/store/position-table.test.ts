/** What the store does with origins beyond its contract: many processes, lanes, and answers that are lost. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { losingAnswers } from '../../../test/contracts/between-scripts.ts'
import { ManualClock } from '../../../test/contracts/manual-clock.ts'
import { TemporaryRedisStore } from '../../../test/contracts/temporary-redis-store.ts'
import type { StoreProcess } from '../../../test/contracts/temporary-redis-store.ts'
import { startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import type { AppendTarget } from '../../batch-store.ts'
import { ORIGIN_KEPT_MS, PositionMoved } from '../../chunk-origin.ts'
import { chunkOf } from '../../chunk.ts'
import { Scripts } from '../scripts.ts'

const ARRIVAL_MS = 1_783_952_116_000

let server: RedisServer

beforeAll(async () => {
  server = (await startRedis()) as RedisServer
})
afterAll(() => server[Symbol.asyncDispose]())

test('two processes read one partition over broken connections: each record is taken over once', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const readers = [await place.open(), await place.open()]
  const target = place.target({ sizeBytesMax: 100, laneCount: 3 })
  const reading = Promise.all(readers.map((reader) => readAll(reader, target, 300)))
  for (let kills = 0; kills < 6; kills += 1) {
    await sleep(20)
    const id = await readers[kills % 2]?.client.call('CLIENT', 'ID')
    await place.client.call('CLIENT', 'KILL', 'ID', String(id))
  }
  await reading
  for (const { client } of readers) await vi.waitFor(() => expect(client.status).toBe('ready'))
  await readers[0]?.store.seal(target.streamId, 'flush')
  const sealed = readers.flatMap(({ sealed }) => sealed)
  const texts = (await Promise.all(sealed.map((batch) => place.texts(batch)))).flat()
  expect(texts.map(Number).toSorted((a, b) => a - b)).toEqual(numbers(300))
})

test('what was appended without an answer is not appended again, whoever offers it', async () => {
  const clock = new ManualClock()
  await using place = new TemporaryRedisStore(server.url, clock)
  const { store } = await place.open({ between: losingAnswers('append', 1, 1_000_000) })
  const target = place.target()
  const outcome = Promise.allSettled([store.append(target, from('shard', 1))])
  const isSettled = outcome.then(() => true)
  while (!(await Promise.race([isSettled, sleep(1, false)]))) clock.advance(100)
  expect(await outcome).toMatchObject([{ reason: { name: 'AppendError', reason: 'failed' } }])
  const other = await place.open()
  await expect(other.store.append(target, from('shard', 1))).rejects.toThrow(PositionMoved)
  expect(await other.store.positions(target.streamId)).toEqual([
    { partition: 'shard', sequence: 1, position: 'after 1', atMs: ARRIVAL_MS },
  ])
})

test('what has an origin is in the first lane, and all else in any', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store, sealed } = await place.open()
  const target = place.target({ sizeBytesMax: 10, laneCount: 4 })
  const appends = numbers(40).flatMap((number) => [
    store.append(target, from('shard', number)),
    store.append(target, chunkOf([Buffer.from('put')], ARRIVAL_MS)),
  ])
  await Promise.all(appends)
  await store.seal(target.streamId, 'flush')
  const lanes = { read: new Set<number>(), put: new Set<number>() }
  for (const batch of sealed) {
    for (const text of await place.texts(batch)) {
      lanes[text === 'put' ? 'put' : 'read'].add(batch.lane ?? 0)
    }
  }
  expect(lanes).toEqual({ read: new Set([0]), put: new Set([0, 1, 2, 3]) })
})

test('of requests so many are known as are to be, the latest, and none after a day without any', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store } = await place.open()
  const target = place.target()
  const keys = place.keys.lane(target.streamId)
  const things = (['gone', 'positions', 'requests', 'requestorder'] as const).map((thing) =>
    keys.of(thing),
  )
  const scripts = new Scripts(place.client)
  for (const number of numbers(40)) {
    const request = [`r-${number}`, 1, ARRIVAL_MS + number, '', 1]
    await scripts.run('restore-positions', things, [ARRIVAL_MS, ORIGIN_KEPT_MS, 10, ...request])
  }
  const known = await store.positions(target.streamId)
  expect(known.map(({ partition }) => partition)).toEqual(
    numbers(40)
      .slice(30)
      .map((number) => `r-${number}`),
  )
  expect(await place.client.zcard(keys.of('requestorder'))).toBe(10)
  for (const thing of ['requests', 'requestorder'] as const) {
    const ttlMs = await place.client.pttl(keys.of(thing))
    expect(ttlMs).toBeGreaterThan(ORIGIN_KEPT_MS - 60_000)
    expect(ttlMs).toBeLessThanOrEqual(ORIGIN_KEPT_MS)
  }
})

test('many positions are entered and told', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store } = await place.open()
  const { streamId } = place.target()
  const positions = numbers(2_500).map((number) => ({
    partition: `shard ${number}`,
    sequence: 2 ** 53 - number,
    position: `at ${number}`,
    atMs: ARRIVAL_MS + 0.5,
  }))
  await store.restorePositions(streamId, positions)
  const found = await store.positions(streamId)
  expect(found.toSorted((a, b) => b.sequence - a.sequence)).toEqual(positions)
})

test('nothing is entered for a stream that is deleted', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store } = await place.open()
  const { streamId } = place.target()
  await place.client.set(place.keys.lane(streamId).of('gone'), 1)
  const position = { partition: 'a', sequence: 1, position: '', atMs: ARRIVAL_MS }
  await expect(store.restorePositions(streamId, [position])).rejects.toThrow('it is deleted')
  expect(await store.positions(streamId)).toEqual([])
})

/** Reads a partition that has the numbers up to `end`, each a record and a chunk, as a source does. */
async function readAll({ store }: StoreProcess, target: AppendTarget, end: number): Promise<void> {
  for (;;) {
    const [position] = await store.positions(target.streamId)
    const sequence = (position?.sequence ?? 0) + 1
    if (sequence > end) return
    try {
      await store.append(target, from('shard', sequence))
    } catch (error) {
      if (!(error instanceof PositionMoved)) throw error
    }
  }
}

function from(partition: string, sequence: number) {
  const chunk = chunkOf([Buffer.from(`${sequence}`)], ARRIVAL_MS)
  return { ...chunk, origin: { partition, sequence, position: `after ${sequence}` } }
}

function numbers(end: number): number[] {
  return Array.from({ length: end }, (_, index) => index + 1)
}
