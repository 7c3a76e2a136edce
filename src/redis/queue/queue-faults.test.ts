import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { available } from '../../../test/clients/available.ts'
import { claimAll, claimOne, FAILURE, retryAfter } from '../../../test/contracts/delivery-queue.ts'
import { placeAt } from '../../../test/contracts/redis-catalogs.ts'
import { enqueue, openQueueProcess } from '../../../test/contracts/redis-queues.ts'
import type { QueueProcess, QueueProcessOptions } from '../../../test/contracts/redis-queues.ts'
import { SeededRandom } from '../../../test/fakes/seeded-random.ts'
import { findRedis, startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import { until } from '../../../test/servers/until.ts'
import type { RedisPlace } from '../../backend.ts'
import type { BatchId, SealedBatch } from '../../batch.ts'
import type { Claim } from '../../delivery-queue.ts'
import type { ScriptRunner } from '../scripts.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)
const AT_ONCE = AbortSignal.abort()
const WAITING = new AbortController().signal
/** So that the dead are found soon. */
const HASTY = { lockMs: 400, stalledMs: 100 }

/** How often it counted that a batch was completed. */
class Completions {
  readonly counts = new Map<BatchId, number>()

  readonly scripts = (scripts: ScriptRunner): ScriptRunner => ({
    run: async (name, keys, args) => {
      const answer = await scripts.run(name, keys, args)
      const batchId = String(args[0])
      if (name === 'complete' && answer === 1) {
        this.counts.set(batchId, (this.counts.get(batchId) ?? 0) + 1)
      }
      return answer
    },
    runBinary: (...call) => scripts.runBinary(...call),
  })
}

describe.runIf(isHere)('a delivery queue in Redis, when things break', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = (await startRedis()) as RedisServer
  })
  afterAll(() => server?.[Symbol.asyncDispose]())
  const open = (place: RedisPlace, options: Partial<QueueProcessOptions> = {}): QueueProcess =>
    openQueueProcess({ ...options, place })

  /** Removes BullMQ's keys, and nothing else. */
  async function flushJobs({ client, keys }: QueueProcess): Promise<void> {
    const names = await client.keys(`${keys.queuePrefix}:*`)
    if (names.length > 0) await client.del(...names)
  }

  test('what a dead process had claimed is claimed by another, and the dead one may say what it likes', async () => {
    const place = placeAt(server.url)
    await using alive = open(place, HASTY)
    // It lives on as a zombie: only its locks are not renewed.
    await using zombie = open(place, { lockMs: 400, stalledMs: 1e9 })
    const [batch] = await enqueue(zombie.queue, 'stream', 1)
    const [other] = await enqueue(zombie.queue, 'other', 1)
    const lost = await claimAll(zombie.queue)
    expect(lost.map(({ batch }) => batch)).toEqual([batch, other])
    // Its jobs' locks are taken from it, as when it is stopped for long.
    const locks = await alive.client.keys(`${alive.keys.queuePrefix}:*:lock`)
    await alive.client.del(...locks)
    const first = (await alive.queue.claim(WAITING)) as Claim
    const second = (await alive.queue.claim(WAITING)) as Claim
    expect([first, second].map(({ attempt }) => attempt)).toEqual([2, 2])
    await zombie.queue.retry(lost[0] as Claim, retryAfter(0))
    await zombie.queue.complete(lost[1] as Claim)
    for (const streamId of ['stream', 'other']) {
      expect(await alive.queue.status(streamId)).toMatchObject({
        state: 'running',
        inFlightCount: 1,
        recordCount: 1,
      })
    }
    await alive.queue.complete(first)
    await alive.queue.complete(second)
    expect(await alive.queue.claim(AT_ONCE)).toBe(undefined)
    expect(await alive.queue.status('stream')).toMatchObject({ inFlightCount: 0, recordCount: 0 })
  })

  test('what a killed process had claimed is claimed by another after lock and look', async () => {
    const place = placeAt(server.url)
    await using alive = open(place, HASTY)
    await using killed = open(place, HASTY)
    const batches = await enqueue(killed.queue, 'stream', 3)
    expect(await claimAll(killed.queue)).toHaveLength(3)
    await killed.kill()
    const startMs = performance.now()
    const claims: Claim[] = []
    for (const _ of batches) claims.push((await alive.queue.claim(WAITING)) as Claim)
    expect(performance.now() - startMs).toBeLessThan(3_000)
    expect(claims.map(({ batch }) => batch.batchId).toSorted()).toEqual(
      batches.map(({ batchId }) => batchId),
    )
  })

  test('a claim in hand is kept for as long as its process lives', async () => {
    const place = placeAt(server.url)
    await using alive = open(place, HASTY)
    await using holder = open(place, HASTY)
    await enqueue(holder.queue, 'stream', 1)
    const claim = await claimOne(holder.queue)
    await sleep(1_500)
    expect(await alive.queue.claim(AT_ONCE)).toBe(undefined)
    await holder.queue.complete(claim)
    expect(await alive.queue.status('stream')).toMatchObject({ inFlightCount: 0, recordCount: 0 })
  })

  test('all jobs that are gone are made again', async () => {
    const place = placeAt(server.url)
    await using process = open(place, { claimsMax: 20, streamClaimsMax: 20 })
    const { queue } = process
    await enqueue(queue, 'waits', 3)
    await queue.pause('waits')
    const [failed] = await enqueue(queue, 'failed', 1)
    await queue.retry(await claimOne(queue), retryAfter(700))
    const [held] = await enqueue(queue, 'in flight', 1)
    const zombie = await claimOne(queue)
    const [parked] = await enqueue(queue, 'parked', 1)
    await queue.park(await claimOne(queue), FAILURE)
    await queue.resume('waits')
    await flushJobs(process)
    expect(await claimAll(queue)).toEqual([])
    await queue.reconcile()
    const claims = await claimAll(queue)
    expect(claims.map(({ batch }) => batch.streamId).toSorted()).toEqual([
      'in flight',
      'waits',
      'waits',
      'waits',
    ])
    expect(claims.find(({ batch }) => batch.batchId === held?.batchId)?.attempt).toBe(2)
    await queue.complete(zombie)
    expect((await queue.status('in flight')).inFlightCount).toBe(1)
    expect((await queue.claim(WAITING))?.batch).toEqual(failed)
    await queue.resume('parked')
    expect((await queue.claim(WAITING))?.batch).toEqual(parked)
  })

  test('jobs that are in none of BullMQ’s lists any more are made again', async () => {
    const place = placeAt(server.url)
    await using process = open(place, { claimsMax: 20, streamClaimsMax: 20 })
    const { queue } = process
    const [failed] = await enqueue(queue, 'failed', 1)
    await queue.retry(await claimOne(queue), retryAfter(700))
    const [held] = await enqueue(queue, 'in flight', 1)
    await claimOne(queue)
    const [waiting] = await enqueue(queue, 'waits', 1)
    const names = await process.client.keys(`${process.keys.queuePrefix}:*`)
    // A job that is locked is its worker's, which lives.
    const lost = names.filter((name) => /:(?:wait|active|delayed|lock)$/.test(name))
    expect(lost).toHaveLength(4)
    await process.client.del(...lost)
    expect(await claimAll(queue)).toEqual([])
    await queue.reconcile()
    const claims = await claimAll(queue)
    expect(new Set(claims.map(({ batch }) => batch))).toEqual(new Set([held, waiting]))
    expect((await queue.claim(WAITING))?.batch).toEqual(failed)
  })

  /** Waits until nothing is queued any more. */
  async function delivered({ queue }: QueueProcess, streamIds: readonly string[]): Promise<void> {
    await until('all batches are delivered', 20_000, async () => {
      const statuses = await Promise.all(streamIds.map((streamId) => queue.status(streamId)))
      return statuses.every(({ recordCount }) => recordCount === 0) ? statuses : undefined
    })
  }

  /** Works off what is there, as workers do: some attempts fail, some claims are given back. */
  async function work(process: QueueProcess, random: () => number, signal: AbortSignal) {
    const lane = async (): Promise<void> => {
      for (;;) {
        const claim = await process.queue.claim(signal)
        if (claim === undefined || signal.aborted) return
        await sleep(random() * 5)
        // A process that is killed says nothing any more.
        if (signal.aborted) return
        const chance = random()
        if (chance < 0.1) await process.queue.retry(claim, retryAfter(random() * 30))
        else if (chance < 0.15) await process.queue.release(claim)
        else await process.queue.complete(claim)
      }
    }
    await Promise.all([lane(), lane(), lane(), lane()])
  }

  test('each batch is completed once, while processes are killed and others begin', async () => {
    const place = placeAt(server.url)
    const chance = new SeededRandom(6)
    const random = (): number => chance.next()
    const completions = new Completions()
    const options = { ...HASTY, scripts: completions.scripts }
    await using observer = open(place, { ...options, claimsMax: 0 })
    const begin = () => {
      const process = open(place, options)
      const stopped = new AbortController()
      const done = work(process, random, stopped.signal)
      return { process, stopped, done }
    }
    const workers = [begin(), begin(), begin()]
    for (let round = 0; round < 12; round += 1) {
      for (const streamId of ['a', 'b', 'c']) {
        await enqueue(observer.queue, streamId, 8)
      }
      const index = Math.floor(random() * workers.length)
      const victim = workers[index]
      victim?.stopped.abort()
      await victim?.process.kill()
      await victim?.done
      workers[index] = begin()
      await sleep(100 * random())
    }
    await delivered(observer, ['a', 'b', 'c'])
    for (const { stopped, process, done } of workers) {
      stopped.abort()
      await process.kill()
      await done
    }
    expect(new Set(completions.counts.values())).toEqual(new Set([1]))
    for (const streamId of ['a', 'b', 'c']) {
      expect(await observer.queue.status(streamId)).toMatchObject({
        waitingCount: 0,
        inFlightCount: 0,
        recordCount: 0,
      })
    }
  })

  test('each batch is completed, while all connections break again and again', async () => {
    await using own = (await startRedis({ config: { loglevel: 'warning' } })) as RedisServer
    const place = placeAt(own.url)
    const chance = new SeededRandom(7)
    const random = (): number => chance.next()
    const completions = new Completions()
    await using process = open(place, { ...HASTY, scripts: completions.scripts })
    const stopped = new AbortController()
    const done = work(process, random, stopped.signal)
    const batches: SealedBatch[] = []
    for (let round = 0; round < 10; round += 1) {
      for (const type of ['normal', 'pubsub']) await own.call('CLIENT', 'KILL', 'TYPE', type)
      batches.push(...(await enqueue(process.queue, `stream ${round % 3}`, 10)))
      await sleep(20)
    }
    await delivered(process, ['stream 0', 'stream 1', 'stream 2'])
    stopped.abort()
    await done
    expect([...completions.counts.values()].every((count) => count === 1)).toBe(true)
    // An answer that was lost with its connection was not counted.
    expect(completions.counts.size).toBeGreaterThan(batches.length - 40)
  })

  test('each batch is completed, while Redis is killed and started again', async () => {
    await using own = (await startRedis({ appendonly: 'always' })) as RedisServer
    const place = placeAt(own.url)
    const chance = new SeededRandom(8)
    const completions = new Completions()
    await using process = open(place, { ...HASTY, scripts: completions.scripts })
    const stopped = new AbortController()
    const done = work(process, () => chance.next(), stopped.signal)
    for (let round = 0; round < 3; round += 1) {
      await enqueue(process.queue, 'stream', 20)
      await own.kill()
      await own.restart()
    }
    await delivered(process, ['stream'])
    stopped.abort()
    await done
    expect(new Set(completions.counts.values())).toEqual(new Set([1]))
  })
})
