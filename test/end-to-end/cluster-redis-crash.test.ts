/** A Redis that is killed and started again, with its append-only file. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import type { RedisServer } from '../servers/redis.ts'
import { Nodes } from './cluster-nodes.ts'
import { acknowledges, expectExactlyOnce, underLoad } from './cluster-run.ts'
import { createAll, fakeBucketStream } from './cluster-streams.ts'
import { s3Environment } from './streams.ts'

const KILL_COUNT = Number(process.env['STANDPIPE_TEST_KILLS'] ?? 4)

test.runIf(available('Redis', (await findRedis()) !== undefined))(
  'kill -9 of Redis under load, also while it rewrites its log: nothing acknowledged is lost',
  async () => {
    const seed = testSeed()
    const random = new SeededRandom(seed)
    await using redis = (await startRedis({
      appendonly: 'always',
      // Microseconds for each key, so that a rewrite takes long enough to be struck.
      config: { 'rdb-key-save-delay': '2000' },
    }))!
    await using s3 = await FaultyS3.start(new SeededRandom(seed + 1))
    const streams = [fakeBucketStream(s3, 'plain'), fakeBucketStream(s3, 'spread', {}, 3)]
    await using nodes = await Nodes.start({
      redis: redis.url,
      roles: ['api', 'api', 'worker', 'worker'],
      environment: { ...s3Environment(s3), STANDPIPE_REDIS_FSYNC: 'always' },
    })
    await createAll(nodes.client, streams)

    const outcome = await underLoad(nodes, { streams, random }, async (ledgers) => {
      for (let kill = 0; kill < KILL_COUNT; kill += 1) {
        await acknowledges(ledgers, random.integer(100, 1_500))
        if (kill % 2 === 1) await rewriting(redis)
        await redis.kill()
        await sleep(random.integer(0, 3_000))
        await redis.restart()
      }
      await acknowledges(ledgers, 500)
    })
    for (const node of nodes.all) expect(node.isRunning, node.log.slice(-2_000)).toBe(true)
    await expectExactlyOnce(nodes, streams, outcome, `${KILL_COUNT} kills of Redis, seed ${seed}`)
  },
)

/** Resolves in the middle of it. */
async function rewriting(redis: RedisServer): Promise<void> {
  await redis.call('BGREWRITEAOF')
  expect(await redis.info('aof_rewrite_in_progress')).toBe('1')
  await sleep(50)
}
