/** What the store does beyond its contract: many processes, lanes, and a Redis that fails. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { between, failing, losingAnswers } from '../../../test/contracts/between-scripts.ts'
import { ManualClock } from '../../../test/contracts/manual-clock.ts'
import { TemporaryRedisStore } from '../../../test/contracts/temporary-redis-store.ts'
import { startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import type { SealedBatch } from '../../batch.ts'
import type { AppendTarget } from '../../batch-store.ts'
import { chunkOf } from '../../chunk.ts'
import type { RedisBatchStore } from './batch-lists.ts'

const ARRIVAL_MS = 1_783_952_116_000

let server: RedisServer

beforeAll(async () => {
  server = (await startRedis()) as RedisServer
})
afterAll(() => server[Symbol.asyncDispose]())

test('two processes append to one stream: nothing is lost or doubled, each keeps its order', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const processes = [await place.open(), await place.open()]
  const target = place.target({ sizeBytesMax: 300 })
  const names = processes.map((_, number) => numbered(`process ${number} record`, 200))
  const appended = await Promise.all(
    processes.map(({ store }, number) => appendSlowly(store, target, names[number] ?? [])),
  )
  await processes[0]?.store.seal(target.streamId, 'flush')
  const contents = await contentsOf(
    place,
    processes.flatMap(({ sealed }) => sealed),
  )
  expect([...contents.values()].flat().toSorted()).toEqual(names.flat().toSorted())
  for (const [number, own] of names.entries()) {
    const answers = appended[number] ?? []
    const found = answers.map(({ batchId, firstOrdinal }) => contents.get(batchId)?.[firstOrdinal])
    expect(found).toEqual(own)
    for (const texts of contents.values()) {
      const ownTexts = texts.filter((text) => own.includes(text))
      expect(ownTexts).toEqual(own.filter((text) => texts.includes(text)))
    }
  }
  const shared = [...contents.values()].filter((texts) =>
    names.every((own) => texts.some((text) => own.includes(text))),
  )
  expect(shared.length).toBeGreaterThan(0)
})

test('what waits while a call is under way goes along with the next one', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const calls: string[] = []
  const { store } = await place.open({
    between: between((name, run) => {
      calls.push(name)
      return run()
    }),
  })
  const target = place.target()
  const first = store.append(target, chunk('first'))
  await appendAll(store, target, numbered('record', 300))
  expect(await first).toMatchObject({ firstOrdinal: 0 })
  expect(calls.length).toBeLessThanOrEqual(3)
})

test('a call that comes after a later one of its writer does nothing', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const runs: (() => Promise<unknown>)[] = []
  const { store, sealed } = await place.open({
    between: between((_name, run) => {
      runs.push(run)
      return run()
    }),
  })
  const target = place.target()
  await store.append(target, chunk('a'))
  await store.append(target, chunk('b'))
  const [first, second] = runs
  expect(await first?.()).toEqual(['late'])
  expect(await second?.()).toEqual(await second?.())
  await store.seal(target.streamId, 'flush')
  expect(await allTexts(place, sealed)).toEqual(['a', 'b'])
})

test('an append whose answer is lost is asked for again, and done once', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store, sealed, opened } = await place.open({ between: losingAnswers('append', 2) })
  const target = place.target({ sizeBytesMax: 8 })
  const appended = await appendAll(store, target, ['1234', '56', '789'])
  expect(appended.map(({ firstOrdinal }) => firstOrdinal)).toEqual([0, 1, 0])
  await store.seal(target.streamId, 'flush')
  expect(sealed.map(({ sealReason }) => sealReason)).toEqual(['size', 'flush'])
  expect(opened.map(({ batchId }) => batchId)).toEqual(sealed.map(({ batchId }) => batchId))
  expect(await allTexts(place, sealed)).toEqual(['1234', '56', '789'])
  expect(store.usage().batchCount).toBe(2)
})

test('a seal, an import and a removal whose answers are lost are done once', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const lossy = ['seal', 'import-chunk', 'import-seal', 'remove-batch']
  const { store, sealed } = await place.open({
    between: (scripts) => lossy.reduce((runner, name) => losingAnswers(name, 1)(runner), scripts),
  })
  const target = place.target()
  await store.append(target, chunk('a'))
  await store.seal(target.streamId, 'flush')
  async function* chunks() {
    yield chunk('b')
    yield chunk('c')
  }
  const batchId = '01J00000000000000000000000'
  expect(await store.importBatch(target, batchId, chunks(), 'replay')).toBe(true)
  expect(await allTexts(place, sealed)).toEqual(['a', 'b', 'c'])
  expect(sealed).toHaveLength(2)
  for (const batch of sealed) await store.remove(batch)
  expect(store.usage()).toMatchObject({ batchCount: 0, storedBytes: 0 })
})

test('an append that is not answered in 5 seconds fails, and the next ones go on', async () => {
  const clock = new ManualClock()
  await using place = new TemporaryRedisStore(server.url, clock)
  const { store, sealed } = await place.open({ between: losingAnswers('append', 2, 1_000_000) })
  const target = place.target()
  await store.append(target, chunk('before'))
  const outcome = Promise.allSettled([store.append(target, chunk('unknown'))])
  const isSettled = outcome.then(() => true)
  while (!(await Promise.race([isSettled, sleep(1, false)]))) clock.advance(100)
  expect(await outcome).toMatchObject([{ reason: { name: 'AppendError', reason: 'failed' } }])
  const [another, third] = [await place.open(), await place.open()]
  await another.store.append(target, chunk('after'))
  await third.store.seal(target.streamId, 'flush')
  // Redis had done what it could not answer.
  expect(await allTexts(place, third.sealed)).toEqual(['before', 'unknown', 'after'])
  expect(sealed).toEqual([])
})

test('appends go on over broken connections: nothing is lost or doubled', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store, client } = await place.open()
  const target = place.target({ sizeBytesMax: 2_000 })
  const names = numbered('record', 300)
  const appending = appendSlowly(store, target, names)
  for (let kills = 0; kills < 5; kills += 1) {
    await sleep(20)
    await place.client.call('CLIENT', 'KILL', 'ID', String(await client.call('CLIENT', 'ID')))
  }
  const answers = await appending
  // The last one may have come after all appends.
  await vi.waitFor(() => expect(client.status).toBe('ready'))
  await store.seal(target.streamId, 'flush')
  const listed: SealedBatch[] = []
  for await (const batch of store.list()) listed.push(batch)
  const contents = await contentsOf(place, listed)
  expect([...contents.values()].flat().toSorted()).toEqual(names.toSorted())
  const found = answers.map(({ batchId, firstOrdinal }) => contents.get(batchId)?.[firstOrdinal])
  expect(found).toEqual(names)
})

test('what another process has sealed meanwhile takes nothing more', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const [one, other] = [await place.open(), await place.open()]
  const target = place.target()
  const first = await one.store.append(target, chunk('a'))
  await other.store.seal(target.streamId, 'flush')
  const second = await one.store.append(target, chunk('b'))
  await one.store.append(target, chunk('c'))
  await other.store.seal(target.streamId, 'flush')
  const third = await other.store.append(target, chunk('d'))
  const joined = await one.store.append(target, chunk('e'))
  expect(new Set([first, second, third].map(({ batchId }) => batchId)).size).toBe(3)
  expect(joined).toEqual({ batchId: third.batchId, firstOrdinal: 1 })
  expect(await allTexts(place, other.sealed)).toEqual(['a', 'b', 'c'])
  expect(one.sealed).toEqual([])
  expect(one.store.nextDueMs()).toBe(undefined)
})

test('a sealed batch is in the books and the queue in the same moment', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store, sealed } = await place.open()
  const target = place.target({ sizeBytesMax: 4 })
  await store.append(target, chunk('ab', 'cd'))
  const [batch] = sealed as [SealedBatch]
  const keys = place.keys.lane(target.streamId)
  const { client } = place
  expect(await client.smembers(keys.of('accepted'))).toEqual([batch.batchId])
  expect(await client.hgetall(keys.of('books'))).toEqual({ accepted: '2' })
  expect(await client.lrange(keys.of('due'), 0, -1)).toEqual([batch.batchId])
  expect(await client.hgetall(keys.of('queue'))).toMatchObject({ recordCount: '2', dataBytes: '4' })
  const entry = await client.hgetall(keys.ofBatch('entry', batch.batchId))
  expect(JSON.parse(entry['facts'] ?? '')).toEqual(batch)
})

test('arrivals are kept to the fraction of a millisecond', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store, sealed } = await place.open()
  const target = place.target({ sizeBytesMax: 1 })
  const arrivalMs = 1_783_952_116_000.123
  await store.append(target, { ...chunk('a'), arrivalMs })
  expect(sealed).toMatchObject([{ firstArrivalMs: arrivalMs, lastArrivalMs: arrivalMs }])
})

test('a batch is sealed by its id only while it is open, and announced once', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const [one, other] = [await place.open(), await place.open()]
  const target = place.target()
  const { batchId } = await one.store.append(target, chunk('a'))
  await Promise.all(
    [one, other, one].map(({ store }) => store.sealBatch(target.streamId, 0, batchId, 'age')),
  )
  await one.store.append(target, chunk('b'))
  await one.store.sealBatch(target.streamId, 0, batchId, 'age')
  expect([...one.sealed, ...other.sealed].map((batch) => batch.batchId)).toEqual([batchId])
})

test('what a process that died has left open is sealed by another', async () => {
  const clock = new ManualClock()
  await using place = new TemporaryRedisStore(server.url, clock)
  const [dead, living] = [await place.open(), await place.open()]
  const target = place.target({ ageMsMax: 60_000 })
  const { batchId } = await dead.store.append(target, chunk('a'))
  clock.advance(64_999)
  await living.store.sealDue(clock.monotonicMs())
  expect(living.sealed).toEqual([])
  clock.advance(10_000)
  await living.store.sealDue(clock.monotonicMs())
  expect(living.sealed).toMatchObject([{ batchId, sealReason: 'age' }])
})

test('a batch that could not be sealed is sealed a second later', async () => {
  const clock = new ManualClock()
  await using place = new TemporaryRedisStore(server.url, clock)
  const { store, sealed } = await place.open({ between: failing('seal', 1) })
  await store.append(place.target({ ageMsMax: 100 }), chunk('a'))
  clock.advance(100)
  await store.sealDue(clock.monotonicMs())
  expect(place.complaints).toEqual(['A batch could not be sealed; it is tried again.'])
  expect(store.nextDueMs()).toBe(clock.monotonicMs() + 1_000)
  clock.advance(1_000)
  await store.sealDue(clock.monotonicMs())
  expect(sealed).toHaveLength(1)
})

test('a writer that was not heard of for an hour is forgotten', async () => {
  const clock = new ManualClock()
  await using place = new TemporaryRedisStore(server.url, clock)
  const target = place.target({ sizeBytesMax: 1 })
  const writerCount = () => place.client.hlen(place.keys.lane(target.streamId).of('writers'))
  const processes = [await place.open(), await place.open(), await place.open()]
  const [one, other, third] = processes.map(({ store }) => store)
  await one?.append(target, chunk('a'))
  clock.advance(1_800_000)
  await other?.append(target, chunk('b'))
  expect(await writerCount()).toBe(2)
  clock.advance(1_800_001)
  await third?.append(target, chunk('c'))
  expect(await writerCount()).toBe(2)
})

test('a stream that is deleted takes nothing any more', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store, sealed } = await place.open()
  const target = place.target()
  await store.append(target, chunk('a'))
  await place.client.set(place.keys.lane(target.streamId).of('gone'), '1')
  const refusal = { name: 'AppendError', reason: 'failed' }
  await expect(store.append(target, chunk('b'))).rejects.toMatchObject(refusal)
  async function* chunks() {
    yield chunk('c')
  }
  const importing = store.importBatch(target, '01J00000000000000000000000', chunks(), 'replay')
  await expect(importing).rejects.toMatchObject(refusal)
  await store.seal(target.streamId, 'flush')
  expect(sealed).toEqual([])
  await store.discard(target.streamId)
  await place.client.del(place.keys.lane(target.streamId).of('gone'))
  expect(await place.keysLeft()).toEqual([`${place.keys.prefix}:{catalog}:lanes`])
})

test('a stream is spread over its lanes, batch by batch', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store, sealed } = await place.open()
  const target = place.target({ sizeBytesMax: 1, laneCount: 3 })
  const names = numbered('record', 9)
  for (const name of names) await store.append(target, chunk(name))
  expect(Map.groupBy(sealed, ({ lane = 0 }) => lane).size).toBe(3)
  expect(sealed.filter(({ lane }) => lane === 0)).toEqual([])
  expect((await allTexts(place, sealed)).toSorted()).toEqual(names)
  const listed: SealedBatch[] = []
  for await (const batch of store.list()) listed.push(batch)
  expect(new Set(listed)).toEqual(new Set(sealed))
  for (const batch of sealed) await store.remove(batch)
  expect(store.usage()).toMatchObject({ batchCount: 0, storedBytes: 0 })
})

test('what is open in any lane is told, sealed and discarded, also when it was spread wider', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const target = place.target({ laneCount: 16 })
  const processes = await Promise.all(Array.from({ length: 12 }, () => place.open()))
  for (const { store } of processes) await store.append(target, chunk('a'))
  const one = await place.open()
  const open = await one.store.openBatches(target.streamId)
  expect(open.length).toBeGreaterThan(1)
  expect(open.reduce((sum, { recordCount }) => sum + recordCount, 0)).toBe(12)
  await one.store.append({ ...target, laneCount: 1 }, chunk('b'))
  await one.store.seal(target.streamId, 'flush')
  expect(await allTexts(place, one.sealed)).toHaveLength(13)
  await processes[0]?.store.append(target, chunk('c'))
  await one.store.discard(target.streamId)
  expect(await one.store.openBatches(target.streamId)).toEqual([])
  for await (const batch of one.store.list()) expect(batch).toBe(undefined)
})

test('hundreds of batches are listed in order while some of them go, and discarded', async () => {
  await using place = new TemporaryRedisStore(server.url)
  const { store, sealed } = await place.open()
  const target = place.target({ sizeBytesMax: 1 })
  // Of the first ones many arrive in the same millisecond.
  const arrivals = Array.from({ length: 350 }, (_, index) => ARRIVAL_MS + Math.max(0, index - 150))
  const appends = arrivals.map((arrivalMs) => store.append(target, { ...chunk('a'), arrivalMs }))
  await Promise.all(appends)
  const listed: SealedBatch[] = []
  for await (const batch of store.list()) {
    listed.push(batch)
    await store.remove(batch)
  }
  expect(listed).toEqual(sealed)
  await Promise.all(arrivals.map(() => store.append(target, chunk('b'))))
  expect(store.usage().batchCount).toBe(350)
  await store.discard(target.streamId)
  expect(store.usage()).toMatchObject({ batchCount: 0, storedBytes: 0 })
})

function chunk(...texts: string[]) {
  return chunkOf(
    texts.map((text) => Buffer.from(text)),
    ARRIVAL_MS,
  )
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name} ${String(index).padStart(3, '0')}`)
}

function appendAll(store: RedisBatchStore, target: AppendTarget, texts: readonly string[]) {
  return Promise.all(texts.map((text) => store.append(target, chunk(text))))
}

/** Some at a time, so that several processes meet in the same batches. */
async function appendSlowly(
  store: RedisBatchStore,
  target: AppendTarget,
  texts: readonly string[],
) {
  const appends = []
  for (const [index, text] of texts.entries()) {
    appends.push(store.append(target, chunk(text)))
    if (index % 10 === 9) await sleep(2)
  }
  return Promise.all(appends)
}

async function contentsOf(place: TemporaryRedisStore, batches: readonly SealedBatch[]) {
  const contents = new Map<string, string[]>()
  for (const batch of batches) contents.set(batch.batchId, await place.texts(batch))
  return contents
}

async function allTexts(place: TemporaryRedisStore, batches: readonly SealedBatch[]) {
  return [...(await contentsOf(place, batches)).values()].flat()
}
