/** A batch is worked on while its slot moves from one node of a cluster to another, and takes its time. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { available } from '../../../test/clients/available.ts'
import { readStaged, stageTexts } from '../../../test/contracts/batch-staging.ts'
import { manifestOf } from '../../../test/contracts/batch-store.ts'
import { RedisBatches } from '../../../test/fakes/redis-batch.ts'
import { startRedisCluster } from '../../../test/servers/redis-cluster.ts'
import type { RedisCluster } from '../../../test/servers/redis-cluster.ts'
import { findRedis } from '../../../test/servers/redis.ts'
import { systemClock } from '../../base/clock.ts'
import { recordsOf } from '../../chunk.ts'

describe.runIf(available('Redis', (await findRedis()) !== undefined))('a moving slot', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = (await startRedisCluster({ masters: 2, replicas: 0 })) as RedisCluster
  })
  afterAll(() => cluster[Symbol.asyncDispose]())

  test('fails nothing that is done to a batch', async () => {
    using batches = new RedisBatches(cluster.url)
    const batch = await batches.write({ chunks: Array.from({ length: 20 }, () => ['a', 'b']) })
    const { contents } = batches
    const moved = new AbortController()
    const working = (async () => {
      let rounds = 0
      for (; !moved.signal.aborted; rounds += 1) {
        const texts: string[] = []
        for await (const chunk of contents.read(batch))
          texts.push(...[...recordsOf(chunk)].map(String))
        expect(texts).toHaveLength(40)
        await stageTexts(contents, batch, `round ${rounds}`, 'a', 'b')
        expect(await readStaged(contents, batch, [1])).toEqual({
          index: `round ${rounds}`,
          blocks: ['b'],
        })
        await contents.freeze(batch, manifestOf(batch))
        expect(await contents.manifest(batch)).toEqual(manifestOf(batch))
        await contents.thaw(batch)
        await contents.unstage(batch)
      }
      return rounds
    })()
    const slot = await cluster.slotOf(batches.laneKey(batch, 'usage'))
    const from = await cluster.ownerOf(slot)
    const to = cluster.nodes.find((node) => node !== from)!
    await cluster.moveSlot(slot, from, to, async () => {
      const keyCount = Number(await from.call('CLUSTER', 'COUNTKEYSINSLOT', slot))
      await systemClock.sleep(keyCount === 0 ? 2_500 : 50)
    })
    moved.abort()
    expect(await working).toBeGreaterThan(0)
  })
})
