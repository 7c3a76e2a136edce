/** A Redis that goes back to an earlier state: a failover, a lost end of its log. */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TemporaryRedisStore } from '../../../test/contracts/temporary-redis-store.ts'
import { startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import { PositionMoved } from '../../chunk-origin.ts'
import { chunkOf } from '../../chunk.ts'

test('a batch that a Redis has half forgotten takes no record in the place of another', async () => {
  await using redis = await ForgetfulRedis.start()
  await using place = new TemporaryRedisStore(redis.url)
  const target = place.target()
  const { store, sealed } = await place.open()
  const first = await store.append(target, chunk('remembered'))

  await redis.remember()
  // From here on all will be forgotten, though the batch may be delivered with it.
  const forgotten = await store.append(target, chunk('forgotten'))
  await store.seal(target.streamId, 'flush')
  await redis.forget()

  const after = await store.append(target, chunk('after'))
  await store.seal(target.streamId, 'flush')
  expect(new Set([first, forgotten, after].map(({ batchId }) => batchId)).size).toBe(3)
  expect(sealed.map(({ sealReason, recordCount }) => [sealReason, recordCount])).toEqual([
    ['recovery', 1],
    ['flush', 1],
    ['recovery', 1],
    ['flush', 1],
  ])
})

test('a partition goes back together with its chunks: what is forgotten is read again', async () => {
  await using redis = await ForgetfulRedis.start()
  await using place = new TemporaryRedisStore(redis.url)
  const target = place.target({ laneCount: 4 })
  const { store } = await place.open()
  await store.append(target, from('shard', 1))
  await redis.remember()
  await store.append(target, from('shard', 2))
  await store.append(target, from('shard', 3))
  await redis.forget()

  await expect(store.append(target, from('shard', 4))).rejects.toThrow(PositionMoved)
  expect(await store.positions(target.streamId)).toMatchObject([{ sequence: 1 }])
  for (const sequence of [2, 3]) await store.append(target, from('shard', sequence))
  await store.seal(target.streamId, 'flush')
  const texts: string[] = []
  for await (const batch of store.list()) texts.push(...(await place.texts(batch)))
  expect(texts.toSorted()).toEqual(['shard 1', 'shard 2', 'shard 3'])
})

class ForgetfulRedis implements AsyncDisposable {
  readonly #folder: string
  readonly #server: RedisServer

  private constructor(folder: string, server: RedisServer) {
    this.#folder = folder
    this.#server = server
  }

  static async start(): Promise<ForgetfulRedis> {
    const folder = await mkdtemp(join(tmpdir(), 'forgetful-redis-'))
    await mkdir(dataIn(folder))
    const options = { appendonly: 'always', folder: dataIn(folder) } as const
    return new ForgetfulRedis(folder, (await startRedis(options)) as RedisServer)
  }

  get url(): string {
    return this.#server.url
  }

  /** Restarts; what is there now is what it will remember. */
  async remember(): Promise<void> {
    await this.#server.kill()
    await cp(dataIn(this.#folder), keptIn(this.#folder), { recursive: true })
    await this.#server.restart()
  }

  async forget(): Promise<void> {
    await this.#server.kill()
    await rm(dataIn(this.#folder), { recursive: true })
    await cp(keptIn(this.#folder), dataIn(this.#folder), { recursive: true })
    await this.#server.restart()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

function dataIn(folder: string): string {
  return join(folder, 'data')
}

function keptIn(folder: string): string {
  return join(folder, 'kept')
}

function from(partition: string, sequence: number) {
  const origin = { partition, sequence, position: `after ${sequence}` }
  return { ...chunk(`${partition} ${sequence}`), origin }
}

function chunk(text: string) {
  return chunkOf([Buffer.from(text)], 1_783_952_116_000)
}
