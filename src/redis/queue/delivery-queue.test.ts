import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { available } from '../../../test/clients/available.ts'
import { claimAll, claimOne, FAILURE, retryAfter } from '../../../test/contracts/delivery-queue.ts'
import { placeAt } from '../../../test/contracts/redis-catalogs.ts'
import { enqueue, makeBatch, openQueueProcess } from '../../../test/contracts/redis-queues.ts'
import type { QueueProcess, QueueProcessOptions } from '../../../test/contracts/redis-queues.ts'
import { findRedis, startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import type { RedisPlace } from '../../backend.ts'
import type { BatchId, SealedBatch } from '../../batch.ts'
import type { Claim } from '../../delivery-queue.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)
const AT_ONCE = AbortSignal.abort()
const WAITING = new AbortController().signal

describe.runIf(isHere)('a delivery queue in Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = (await startRedis()) as RedisServer
  })
  afterAll(() => server?.[Symbol.asyncDispose]())
  const open = (place: RedisPlace, options: Partial<QueueProcessOptions> = {}): QueueProcess =>
    openQueueProcess({ ...options, place })

  /** BullMQ's own look at the jobs. */
  async function jobStates({ client, keys }: QueueProcess, batchIds: readonly BatchId[]) {
    const queues = ['deliveries', 'probes'].map(
      (name) => new Queue(name, { connection: client, prefix: keys.queuePrefix }),
    )
    const states = batchIds.map((batchId) =>
      Promise.all(queues.map((queue) => queue.getJobState(batchId))),
    )
    const found = await Promise.all(states)
    await Promise.all(queues.map((queue) => queue.close()))
    return found
  }

  test('a sealed batch that nobody queued is queued, unless it was delivered', async () => {
    const delivered: SealedBatch[] = []
    await using process = open(placeAt(server.url), {
      onDelivered: async (batch) => void delivered.push(batch),
    })
    const { client, keys, lanes, queue } = process
    const [forgotten, done] = [makeBatch('stream', 1), makeBatch('stream', 1)]
    const laneKeys = keys.lane('stream', 1)
    await lanes.enter('stream', 2)
    for (const batch of [forgotten, done]) {
      await client.hset(laneKeys.ofBatch('batch', batch.batchId), 'facts', JSON.stringify(batch))
      await client.zadd(laneKeys.of('sealed'), 0, batch.batchId)
    }
    await client.hset(laneKeys.of('receipts'), done.batchId, '{}')
    await queue.reconcile()
    expect(delivered).toEqual([done])
    expect((await claimAll(queue)).map(({ batch }) => batch)).toEqual([forgotten])
  })

  test('a batch that has a receipt is not claimed but removed', async () => {
    const delivered: SealedBatch[] = []
    await using process = open(placeAt(server.url), {
      onDelivered: async (batch) => void delivered.push(batch),
    })
    const { client, keys, queue } = process
    const batches = await enqueue(queue, 'stream', 3)
    const receipts = keys.lane('stream').of('receipts')
    for (const { batchId } of batches.slice(0, 2)) await client.hset(receipts, batchId, '{}')
    expect((await claimOne(queue)).batch).toEqual(batches[2])
    expect(delivered).toEqual(batches.slice(0, 2))
    expect(await queue.status('stream')).toMatchObject({ waitingCount: 0, recordCount: 1 })
  })

  test('a batch whose process died before it sealed it is sealed when it is due, and claimed', async () => {
    const batch = makeBatch('stream')
    const asked: unknown[] = []
    await using process = open(placeAt(server.url), {
      sealUnsealed: async (...which) => {
        asked.push(which)
        if (asked.length === 1) throw new Error('Cannot seal it now')
        if (asked.length === 2) await process.queue.enqueue(batch)
      },
    })
    const { queue } = process
    await queue.expect({ streamId: 'stream', lane: 0, batchId: batch.batchId }, 100)
    expect(await queue.claim(AT_ONCE)).toBe(undefined)
    const claim = (await queue.claim(WAITING)) as Claim
    expect(claim.batch).toEqual(batch)
    expect(asked).toEqual([0, 1].map(() => ['stream', 0, batch.batchId]))
    await queue.complete(claim)
    expect(await queue.claim(AT_ONCE)).toBe(undefined)
  })

  test('a batch that was sealed in time is claimed once, whatever its age', async () => {
    await using process = open(placeAt(server.url))
    const { queue } = process
    const batch = makeBatch('stream')
    await queue.expect({ streamId: 'stream', lane: 0, batchId: batch.batchId }, 60_000)
    await queue.enqueue(batch)
    const claim = await claimOne(queue)
    expect(await jobStates(process, [batch.batchId])).toEqual([['active', 'unknown']])
    await queue.complete(claim)
    expect(await jobStates(process, [batch.batchId])).toEqual([['completed', 'unknown']])
  })

  test('the jobs of parked batches are there as failed, and of discarded ones none', async () => {
    await using process = open(placeAt(server.url), { claimsMax: 9 })
    const { queue, client, keys } = process
    const [parked] = await enqueue(queue, 'parked', 1)
    await queue.park(await claimOne(queue), FAILURE)
    const gone = await enqueue(queue, 'gone', 6)
    const claims = await claimAll(queue)
    await queue.retry(claims[0] as Claim, retryAfter(60_000))
    await queue.park(claims[1] as Claim, FAILURE)
    await queue.discard('gone')
    await queue.complete(claims[2] as Claim)
    expect(await jobStates(process, [parked?.batchId ?? ''])).toEqual([['failed', 'unknown']])
    expect(
      await jobStates(
        process,
        gone.map(({ batchId }) => batchId),
      ),
    ).toEqual(gone.map(() => ['unknown', 'unknown']))
    expect(await client.keys(`${keys.prefix}:{gone}:*`)).toEqual([])
  })

  test('a stream is paused before it has anything, with all lanes that it may ever have', async () => {
    await using process = open(placeAt(server.url))
    const { queue } = process
    await queue.pause('stream')
    expect((await queue.status('stream')).state).toBe('paused')
    await queue.enqueue(makeBatch('stream', 3))
    expect(await claimAll(queue)).toEqual([])
    await queue.resume('stream')
    expect(await claimAll(queue)).toHaveLength(1)
  })

  test('the lanes of a stream are one stream', async () => {
    await using process = open(placeAt(server.url), { streamClaimsMax: 1 })
    const { queue } = process
    const batches = [makeBatch('stream', 0), makeBatch('stream', 2), makeBatch('stream', 2)]
    for (const batch of batches) await queue.enqueue(batch)
    const [first] = await claimAll(queue)
    await queue.retry(first as Claim, { ...retryAfter(60_000), brake: true })
    expect(await queue.status('stream')).toEqual({
      state: 'braked',
      waitingCount: 2,
      inFlightCount: 1,
      parkedCount: 0,
      recordCount: 3,
      dataBytes: 30,
      oldestArrivalMs: 0,
      lastFailure: FAILURE,
    })
    expect(await queue.find(batches[2]?.batchId ?? '')).toMatchObject({
      batch: batches[2],
      state: 'waiting',
    })
  })

  test('ten thousand batches of a dead destination keep nobody waiting', async () => {
    await using process = open(placeAt(server.url))
    const { queue, client, keys } = process
    const dead = Array.from({ length: 10_000 }, () => makeBatch('dead'))
    // Their own way in, many at once; as the store does it.
    for (let at = 0; at < dead.length; at += 1_000) {
      await Promise.all(dead.slice(at, at + 1_000).map((batch) => queue.enqueue(batch)))
    }
    for (let failures = 0; failures < 3; failures += 1) {
      await queue.retry(await claimOne(queue), retryAfter(0))
    }
    const waiting = await Promise.all(
      ['deliveries', 'probes'].flatMap((name) =>
        ['wait', 'delayed'].map((list) => `${keys.queuePrefix}:${name}:${list}`).map(lengthOf),
      ),
    )
    expect(waiting.reduce((sum, length) => sum + length)).toBeLessThanOrEqual(4)
    const startMs = performance.now()
    const live = await enqueue(queue, 'live', 3)
    const claims = [await claimOne(queue), await claimOne(queue), await claimOne(queue)]
    expect(performance.now() - startMs).toBeLessThan(1_000)
    const batchIds = claims.map(({ batch }) => batch.batchId)
    expect(batchIds.filter((id) => live.some(({ batchId }) => batchId === id)).length).toBe(2)

    async function lengthOf(key: string): Promise<number> {
      return key.endsWith(':wait') ? await client.llen(key) : await client.zcard(key)
    }
  })
})
