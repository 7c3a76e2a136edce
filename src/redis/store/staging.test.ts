import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { available } from '../../../test/clients/available.ts'
import { readStaged, stageTexts } from '../../../test/contracts/batch-staging.ts'
import { manifestOf } from '../../../test/contracts/batch-store.ts'
import { RedisBatches } from '../../../test/fakes/redis-batch.ts'
import { findRedis, startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import type { SealedBatch } from '../../batch.ts'
import { StagingDamaged } from '../../staging.ts'

const CHUNKS = [['a']]
const MIB = 1024 * 1024

describe.runIf(available('Redis', (await findRedis()) !== undefined))('staging in Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = (await startRedis()) as RedisServer
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const keysOf = async (batches: RedisBatches, batch: SealedBatch) =>
    Object.keys(await batches.dump(batch))
      .map((key) => key.replace(`:${batch.batchId}`, ''))
      .toSorted()

  test('an attempt that dies leaves nothing for long', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: CHUNKS })
    const writer = await batches.contents.stage(batch)
    await writer.write(Buffer.alloc(MIB, 'x'))
    const [unfinished] = await batches.client.keys(`${batches.key(batch, 'staged')}.*`)
    const seconds = await batches.client.ttl(String(unfinished))
    expect(seconds).toBeGreaterThan(3_500)
    await batches.client.del(String(unfinished))
    await expect(writer.finish(Buffer.from('index'))).rejects.toThrow(
      `Cannot stage batch ${batch.batchId}: what was put first has expired`,
    )
    expect(await keysOf(batches, batch)).toEqual(['batch', 'chunks', 'index', 'usage'])
  })

  test('what is finished stays, under one key', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: CHUNKS, lane: 2 })
    const bytesBefore = await batches.storedBytes(batch)
    for (const blocks of [['a'], [], ['b', 'x'.repeat(MIB)], ['c']]) {
      await stageTexts(batches.contents, batch, 'index', ...blocks)
      expect(await batches.client.ttl(batches.key(batch, 'staged'))).toBe(-1)
      expect(await readStaged(batches.contents, batch, [...blocks.keys()])).toEqual({
        index: 'index',
        blocks,
      })
    }
    expect(await keysOf(batches, batch)).toEqual(['batch', 'chunks', 'index', 'staged', 'usage'])
    const segments = await batches.client.hgetallBuffer(batches.key(batch, 'staged'))
    const sizes = Object.entries(segments).map(([name, value]) =>
      name === 'attempt' ? 0 : value.byteLength,
    )
    const stagedBytes = sizes.reduce((sum, bytes) => sum + bytes, 0)
    expect(await batches.storedBytes(batch)).toBe(bytesBefore + stagedBytes)
    const told = await batches.client.hget(batches.key(batch, 'batch'), 'stagedBytes')
    expect(Number(told)).toBe(stagedBytes)
    await batches.contents.unstage(batch)
    await batches.contents.unstage(batch)
    expect(await batches.storedBytes(batch)).toBe(bytesBefore)
    expect(await keysOf(batches, batch)).toEqual(['batch', 'chunks', 'index', 'usage'])
  })

  test('what an abandoned attempt has put is gone at once', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: CHUNKS })
    const writer = await batches.contents.stage(batch)
    await writer.write(Buffer.alloc(MIB, 'x'))
    await writer.abandon()
    expect(await keysOf(batches, batch)).toEqual(['batch', 'chunks', 'index', 'usage'])
    await expect(writer.write(Buffer.from('a'))).rejects.toThrow('until it has ended')
  })

  test('what is done twice, because the answer was lost, counts once', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: CHUNKS })
    const held = await batches.claim(batch, 'token')
    const runs: (() => Promise<unknown>)[] = []
    const repeating = batches.repeating(runs)
    await stageTexts(repeating, held, 'index', 'a', 'x'.repeat(MIB))
    await repeating.freeze(held, manifestOf(batch))
    await repeating.unstage(held)
    await stageTexts(repeating, held, 'index', 'a')
    await repeating.thaw(held)
    const before = await batches.dump(batch)
    expect(await runs.at(-2)?.()).toBe(1)
    expect(await runs.at(-1)?.()).toBe(1)
    expect(await batches.dump(batch)).toEqual(before)
    expect(await readStaged(batches.contents, held, [0])).toEqual({ index: 'index', blocks: ['a'] })
  })

  test('what compresses is compressed, and what is encrypted is not to be seen', async () => {
    using batches = new RedisBatches(server.url)
    const plain = await batches.write({ chunks: CHUNKS })
    const dataKey = batches.keyRing.makeDataKey()
    const encrypted = await batches.write({ chunks: CHUNKS, dataKey })
    const text = 'a text that repeats itself '.repeat(50_000)
    for (const batch of [plain, encrypted]) {
      await stageTexts(batches.contents, batch, 'the index', 'short', text, 'last')
      const { client } = batches
      const stored = await client.hgetallBuffer(batches.key(batch, 'staged'))
      const bytes = Buffer.concat(Object.values(stored))
      expect(bytes.byteLength).toBeLessThan(text.length / 10)
      expect(bytes.includes('the index')).toBe(batch === plain)
      expect(bytes.includes('short')).toBe(batch === plain)
      expect(await readStaged(batches.contents, batch, [1, 0, 2])).toEqual({
        index: 'the index',
        blocks: [text, 'short', 'last'],
      })
    }
  })

  describe.each(['plain', 'encrypted'])('%s', (kind) => {
    test('a bit that changed is found, wherever it is', async () => {
      using batches = new RedisBatches(server.url)
      const dataKey = kind === 'encrypted' ? { dataKey: batches.keyRing.makeDataKey() } : {}
      const batch = await batches.write({ chunks: CHUNKS, ...dataKey })
      const noise = randomBytes(MIB).toString('hex')
      await stageTexts(batches.contents, batch, 'index', 'small', noise, 'last')
      const key = batches.key(batch, 'staged')
      for (const field of ['0', '1', '2', 'index']) {
        const segment = (await batches.client.hgetBuffer(key, field)) as Buffer
        for (const at of [0, 5, 9, 12, segment.length - 1]) {
          const changed = Buffer.from(segment)
          changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
          await batches.client.hset(key, field, changed)
          await expect(readStaged(batches.contents, batch, [0, 1, 2])).rejects.toThrow(
            StagingDamaged,
          )
        }
        for (const damage of [segment.subarray(0, 7), segment.subarray(0, -1), Buffer.alloc(0)]) {
          await batches.client.hset(key, field, damage)
          await expect(readStaged(batches.contents, batch, [0, 1, 2])).rejects.toThrow(
            StagingDamaged,
          )
        }
        await batches.client.hdel(key, field)
        await expect(readStaged(batches.contents, batch, [0, 1, 2])).rejects.toThrow(
          'it is missing',
        )
        await batches.client.hset(key, field, segment)
      }
      expect(await readStaged(batches.contents, batch, [0, 2])).toMatchObject({
        blocks: ['small', 'last'],
      })
    })

    test('a segment of another attempt or place is damage', async () => {
      using batches = new RedisBatches(server.url)
      const dataKey = kind === 'encrypted' ? { dataKey: batches.keyRing.makeDataKey() } : {}
      const batch = await batches.write({ chunks: CHUNKS, ...dataKey })
      const key = batches.key(batch, 'staged')
      await stageTexts(batches.contents, batch, 'index', 'first')
      const earlier = (await batches.client.hgetBuffer(key, '0')) as Buffer
      const [one, two] = [randomBytes(MIB).toString('hex'), randomBytes(MIB).toString('hex')]
      await stageTexts(batches.contents, batch, 'index', one, two)
      const second = (await batches.client.hgetBuffer(key, '1')) as Buffer
      for (const strange of [earlier, second]) {
        await batches.client.hset(key, '0', strange)
        await expect(readStaged(batches.contents, batch, [0])).rejects.toThrow(
          'damage in segment 0: its checksum is wrong',
        )
      }
    })
  })

  test('a full Redis fails the attempt, with its own words, and frees the room', async () => {
    await using small = (await startRedis({ maxmemory: '8mb' })) as RedisServer
    using batches = new RedisBatches(small.url)
    const batch = await batches.write({ chunks: CHUNKS })
    const writer = await batches.contents.stage(batch)
    const writing = (async () => {
      for (;;) await writer.write(randomBytes(MIB))
    })()
    await expect(writing).rejects.toThrow(/OOM/)
    expect(await keysOf(batches, batch)).toEqual(['batch', 'chunks', 'index', 'usage'])
    await stageTexts(batches.contents, batch, 'index', 'a')
    expect(await readStaged(batches.contents, batch, [0])).toMatchObject({ blocks: ['a'] })
  })

  test('what was put may be finished, and removed, when Redis is full since', async () => {
    await using small = (await startRedis({ appendonly: 'no' })) as RedisServer
    using batches = new RedisBatches(small.url)
    const batch = await batches.write({ chunks: CHUNKS })
    const bytesBefore = await batches.storedBytes(batch)
    const writer = await batches.contents.stage(batch)
    await writer.write(randomBytes(MIB))
    await batches.client.config('SET', 'maxmemory', '1mb')
    await expect(batches.client.set('key', 'value')).rejects.toThrow(/OOM/)
    await writer.finish(Buffer.from('index'))
    expect(await readStaged(batches.contents, batch, [])).toMatchObject({ index: 'index' })
    await batches.contents.unstage(batch)
    expect(await batches.storedBytes(batch)).toBe(bytesBefore)
  })
})
