import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { available } from '../../../test/clients/available.ts'
import { readStaged, stageTexts } from '../../../test/contracts/batch-staging.ts'
import { manifestOf } from '../../../test/contracts/batch-store.ts'
import { RedisBatches } from '../../../test/fakes/redis-batch.ts'
import { findRedis, startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import type { Chunk, SealedBatch } from '../../batch.ts'
import { KeyUnavailable } from '../../batch-store.ts'
import type { BatchReading } from '../../batch-store.ts'
import { chunkDataBytes, chunkOf, recordsOf } from '../../chunk.ts'
import { ManifestDamaged } from '../../manifest.ts'
import type { Manifest } from '../../manifest.ts'

const CHUNKS = [['a', 'b'], ['c'], ['d', 'e', 'f']]
const MIB = 1024 * 1024

describe.runIf(available('Redis', (await findRedis()) !== undefined))('batches in Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = (await startRedis()) as RedisServer
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('a batch is read in order, and as often as it is asked for', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: CHUNKS })
    const reading = batches.contents.read(batch)
    const whole = { 0: ['a', 'b'], 2: ['c'], 3: ['d', 'e', 'f'] }
    expect(await textsOf(reading)).toEqual(whole)
    expect(await textsOf(reading)).toEqual(whole)
    expect(reading.quarantinedCount).toBe(0)
  })

  test('of a range only the chunks are read that have records in it', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: CHUNKS, lane: 3 })
    const read = (from: number, to: number) => textsOf(batches.contents.read(batch, { from, to }))
    expect(await read(1, 3)).toEqual({ 0: ['a', 'b'], 2: ['c'] })
    expect(await read(2, 3)).toEqual({ 2: ['c'] })
    expect(await read(4, 5)).toEqual({ 3: ['d', 'e', 'f'] })
    expect(await read(6, 9)).toEqual({})
    await batches.client.lset(batches.key(batch, 'chunks'), 0, 'damaged')
    expect(await read(2, 6)).toEqual({ 2: ['c'], 3: ['d', 'e', 'f'] })
    expect(batches.complaints).toEqual([])
  })

  test('of an encrypted batch nothing can be read in Redis, or with another key', async () => {
    using batches = new RedisBatches(server.url)
    const dataKey = batches.keyRing.makeDataKey()
    const batch = await batches.write({ chunks: [['a secret'], ['another secret']], dataKey })
    expect(await textsOf(batches.contents.read(batch))).toEqual({
      0: ['a secret'],
      1: ['another secret'],
    })
    const stored = await batches.client.lrange(batches.key(batch, 'chunks'), 0, -1)
    expect(stored.join()).not.toContain('secret')
    await batches.client.hset(batches.key(batch, 'batch'), 'wrappedDataKey', 'v1:lost:AAAA')
    await expect(textsOf(batches.contents.read(batch))).rejects.toThrow(KeyUnavailable)
    const other = batches.keyRing.makeDataKey().wrapped
    await batches.client.hset(batches.key(batch, 'batch'), 'wrappedDataKey', other)
    const reading = batches.contents.read(batch)
    expect(await textsOf(reading)).toEqual({})
    expect(reading.quarantinedCount).toBe(2)
  })

  test('a damaged chunk is skipped, counted, and kept once', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: CHUNKS })
    const frame = await batches.client.lindexBuffer(batches.key(batch, 'chunks'), 1)
    const damaged = Buffer.from(frame as Buffer)
    damaged.writeUInt8(damaged.readUInt8(damaged.length - 1) ^ 1, damaged.length - 1)
    await batches.client.lset(batches.key(batch, 'chunks'), 1, damaged)
    for (let count = 0; count < 2; count += 1) {
      const reading = batches.contents.read(batch)
      expect(await textsOf(reading)).toEqual({ 0: ['a', 'b'], 3: ['d', 'e', 'f'] })
      expect(reading.quarantinedCount).toBe(1)
    }
    const kept = await batches.client.lrangeBuffer(batches.laneKey(batch, 'quarantine'), 0, -1)
    const [head = ''] = String(kept[0]).split('\n')
    expect(JSON.parse(head)).toMatchObject({
      streamId: batch.streamId,
      batchId: batch.batchId,
      chunk: 1,
      firstOrdinal: 2,
      recordCount: 1,
      reason: 'The checksum of the frame is wrong',
    })
    expect(kept[0]?.subarray(head.length + 1)).toEqual(damaged)
    expect(kept).toHaveLength(1)
    const usage = await batches.client.hgetall(batches.laneKey(batch, 'usage'))
    expect(usage).toMatchObject({ quarantinedCount: '1' })
    expect(batches.complaints).toEqual([
      'A chunk is damaged in Redis and was copied to quarantine.',
    ])
  })

  test('quarantine keeps a thousand chunks, the latest', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: Array.from({ length: 1_005 }, () => ['a']) })
    await batches.client.del(batches.key(batch, 'chunks'))
    const reading = batches.contents.read(batch)
    expect(await textsOf(reading)).toEqual({})
    expect(reading.quarantinedCount).toBe(1_005)
    const key = batches.laneKey(batch, 'quarantine')
    expect(await batches.client.llen(key)).toBe(1_000)
    const [latest = '', oldest = ''] = [
      await batches.client.lindex(key, 0),
      await batches.client.lindex(key, -1),
    ].map(String)
    expect([JSON.parse(latest).chunk, JSON.parse(oldest).chunk]).toEqual([1_004, 5])
    const usage = await batches.client.hgetall(batches.laneKey(batch, 'usage'))
    const keptBytes = (await batches.client.lrange(key, 0, -1)).join('').length
    expect(usage).toMatchObject({
      quarantinedCount: '1005',
      quarantinedBytes: String(keptBytes),
    })
  })

  test('chunks that are missing at the end are missed, and the others delivered', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: CHUNKS })
    await batches.client.ltrim(batches.key(batch, 'chunks'), 0, 1)
    const reading = batches.contents.read(batch)
    expect(await textsOf(reading)).toEqual({ 0: ['a', 'b'], 2: ['c'] })
    expect(reading.quarantinedCount).toBe(3)
  })

  test('a chunk in the place of another is no chunk of this batch', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: CHUNKS })
    const other = await batches.client.lindexBuffer(batches.key(batch, 'chunks'), 2)
    await batches.client.lset(batches.key(batch, 'chunks'), 0, other as Buffer)
    const reading = batches.contents.read(batch)
    expect(await textsOf(reading)).toEqual({ 2: ['c'], 3: ['d', 'e', 'f'] })
    expect(reading.quarantinedCount).toBe(2)
  })

  test('where the index is damaged, reading fails', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: CHUNKS })
    await batches.client.setrange(batches.key(batch, 'index'), 0, '\u0001')
    await expect(textsOf(batches.contents.read(batch))).rejects.toThrow(
      `Cannot read batch ${batch.batchId}: its index does not tell of 6 records`,
    )
  })

  test('a batch that was removed meanwhile is not damaged', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({
      chunks: [['a'], [randomBytes(MIB).toString('hex')], ['b']],
    })
    const remove = () =>
      batches.client.del(
        ...(['batch', 'chunks', 'index'] as const).map((what) => batches.key(batch, what)),
      )
    const readTo = async (reading: BatchReading) => {
      for await (const _ of reading) await remove()
    }
    await expect(readTo(batches.contents.read(batch))).rejects.toThrow(
      `Cannot find batch ${batch.batchId}: it is gone`,
    )
    const zombie = await batches.claim(batch, 'zombie')
    await expect(textsOf(batches.contents.read(zombie))).rejects.toMatchObject({
      name: 'ClaimLost',
    })
    expect(await batches.client.exists(batches.laneKey(batch, 'quarantine'))).toBe(0)
    expect(batches.complaints).toEqual([])
  })

  test('fifty megabytes are read a megabyte at a time', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.writeChunks(noise(100, MIB / 2))
    const asked = vi.spyOn(batches.client, 'lrangeBuffer')
    let dataBytes = 0
    for await (const chunk of batches.contents.read(batch)) dataBytes += chunkDataBytes(chunk)
    expect(dataBytes).toBe(50 * MIB)
    const answers = await Promise.all(asked.mock.results.map(({ value }) => value))
    for (const frames of answers as Buffer[][]) {
      expect(Buffer.concat(frames).byteLength).toBeLessThanOrEqual(MIB)
    }
  })

  test('a Redis that is killed and comes back fails nothing', async () => {
    await using mortal = (await startRedis({ appendonly: 'always' })) as RedisServer
    using batches = new RedisBatches(mortal.url)
    const batch = await batches.write({ chunks: CHUNKS })
    const { contents } = batches
    const over = new AbortController()
    const working = (async () => {
      while (!over.signal.aborted) {
        expect(Object.keys(await textsOf(contents.read(batch)))).toEqual(['0', '2', '3'])
        await stageTexts(contents, batch, 'index', 'a')
        expect(await readStaged(contents, batch, [0])).toMatchObject({ blocks: ['a'] })
        await contents.freeze(batch, manifestOf(batch))
        expect(await contents.manifest(batch)).toEqual(manifestOf(batch))
        await contents.thaw(batch)
      }
    })()
    for (let count = 0; count < 3; count += 1) await mortal.restart()
    over.abort()
    await working
  })

  test('a manifest is kept, replaced, and removed', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: CHUNKS, lane: 1 })
    const { contents } = batches
    expect(await contents.manifest(batch)).toBe(undefined)
    const first = manifestOf(batch)
    await contents.freeze(batch, first)
    expect(await contents.manifest(batch)).toEqual(first)
    const large = { ...first, destination: { Text: 'x'.repeat(1_000_000) } }
    await contents.freeze(batch, large)
    expect(await contents.manifest(batch)).toEqual(large)
    expect(await batches.client.strlen(batches.key(batch, 'manifest'))).toBeLessThan(10_000)
    await contents.thaw(batch)
    await contents.thaw(batch)
    expect(await contents.manifest(batch)).toBe(undefined)
  })

  const damages: Record<string, (value: Buffer) => Buffer> = {
    'cut short': (value) => value.subarray(0, -5),
    'changed in one bit': (value) => {
      const changed = Buffer.from(value)
      changed.writeUInt8(changed.readUInt8(100) ^ 1, 100)
      return changed
    },
    empty: () => Buffer.alloc(0),
  }
  for (const [what, damage] of Object.entries(damages)) {
    for (const size of [1, 100_000]) {
      test(`a manifest of ${size} and more that is ${what} is damaged`, async () => {
        using batches = new RedisBatches(server.url)
        const batch = await batches.write({ chunks: CHUNKS })
        const text = randomBytes(size).toString('hex')
        await batches.contents.freeze(batch, { ...manifestOf(batch), destination: { Text: text } })
        const key = batches.key(batch, 'manifest')
        const value = (await batches.client.getBuffer(key)) as Buffer
        await batches.client.set(key, damage(value))
        await expect(batches.contents.manifest(batch)).rejects.toThrow(ManifestDamaged)
      })
    }
  }

  test("another batch's manifest is no manifest", async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: CHUNKS })
    const other = await batches.write({ chunks: CHUNKS })
    await batches.contents.freeze(other, manifestOf(other))
    const value = await batches.client.getBuffer(batches.key(other, 'manifest'))
    await batches.client.set(batches.key(batch, 'manifest'), value as Buffer)
    await expect(batches.contents.manifest(batch)).rejects.toThrow(ManifestDamaged)
  })

  describe('who has lost the claim changes nothing', () => {
    const steps: Record<string, (batches: RedisBatches, batch: SealedBatch) => Promise<unknown>> = {
      freeze: ({ contents }, batch) => contents.freeze(batch, changed(manifestOf(batch))),
      thaw: ({ contents }, batch) => contents.thaw(batch),
      'write a staged block': async ({ contents }, batch) => {
        const writer = await contents.stage(batch)
        await writer.write(Buffer.alloc(MIB))
      },
      'finish staging': async ({ contents }, batch) => {
        const writer = await contents.stage(batch)
        await writer.finish(Buffer.from('zombie'))
      },
      unstage: ({ contents }, batch) => contents.unstage(batch),
    }
    for (const [step, act] of Object.entries(steps)) {
      test(`${step}: ClaimLost`, async () => {
        using batches = new RedisBatches(server.url)
        const batch = await batches.write({ chunks: CHUNKS })
        const zombie = await batches.claim(batch, 'first')
        const holder = await batches.claim(batch, 'second')
        await batches.contents.freeze(holder, manifestOf(batch))
        const writer = await batches.contents.stage(holder)
        await writer.write(Buffer.from('block'))
        await writer.finish(Buffer.from('index'))
        const before = await batches.dump(batch)
        await expect(act(batches, zombie)).rejects.toMatchObject({ name: 'ClaimLost' })
        expect(await batches.dump(batch)).toEqual(before)
      })
    }
  })

  test('of a batch that is gone nothing is frozen or staged', async () => {
    using batches = new RedisBatches(server.url)
    const batch = await batches.write({ chunks: CHUNKS })
    const held = await batches.claim(batch, 'token')
    const writer = await batches.contents.stage(held)
    await batches.client.del(batches.key(batch, 'batch'))
    const lost = { name: 'ClaimLost' }
    await expect(batches.contents.freeze(held, manifestOf(batch))).rejects.toMatchObject(lost)
    await expect(writer.finish(Buffer.from('index'))).rejects.toMatchObject(lost)
    await expect(batches.contents.stage(held)).rejects.toMatchObject(lost)
    await batches.contents.unstage(batch)
    expect(Object.keys(await batches.dump(batch)).toSorted()).toEqual(
      [`chunks`, `entry`, `index`].map((what) => `${what}:${batch.batchId}`).concat('usage'),
    )
  })
})

/** The records by the ordinal of their chunk's first. */
async function textsOf(reading: BatchReading): Promise<Record<number, string[]>> {
  const texts: Record<number, string[]> = {}
  for await (const chunk of reading) texts[chunk.firstOrdinal] = [...recordsOf(chunk)].map(String)
  return texts
}

/** Chunks that do not compress. */
function* noise(count: number, sizeBytes: number): Generator<Chunk> {
  for (let number = 0; number < count; number += 1) yield chunkOf([randomBytes(sizeBytes)], 1_000)
}

function changed(manifest: Manifest): Manifest {
  return { ...manifest, versionId: manifest.versionId + 1 }
}
