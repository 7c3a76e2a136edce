/** A Redis Cluster whose slots move from node to node while they are used. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { startRedisCluster } from '../servers/redis-cluster.ts'
import { findRedis } from '../servers/redis.ts'
import { Nodes, tagsOf } from './cluster-nodes.ts'
import { acknowledges, expectExactlyOnce, underLoad } from './cluster-run.ts'
import { createAll, fakeBucketStream } from './cluster-streams.ts'
import { s3Environment } from './streams.ts'

const MOVE_COUNT = Number(process.env['STANDPIPE_TEST_MOVES'] ?? 2)

test.runIf(available('Redis', (await findRedis()) !== undefined))(
  'slots of streams, of the queue and of the catalog move under load: nothing lost or doubled',
  async () => {
    const seed = testSeed()
    const random = new SeededRandom(seed)
    await using cluster = (await startRedisCluster({
      masters: 3,
      replicas: 0,
      appendonly: 'everysec',
    }))!
    await using s3 = await FaultyS3.start(new SeededRandom(seed + 1))
    const streams = [fakeBucketStream(s3, 'plain'), fakeBucketStream(s3, 'spread', {}, 3)]
    await using nodes = await Nodes.start({
      redis: cluster.url,
      roles: ['api', 'api', 'worker', 'worker'],
      environment: s3Environment(s3),
    })
    await createAll(nodes.client, streams)
    const streamTags = [...(await tagsOf(cluster.url, nodes.prefix)).values()]
    expect(streamTags.length).toBe(streams.length)

    const outcome = await underLoad(nodes, { streams, random }, async (ledgers) => {
      for (let move = 0; move < MOVE_COUNT; move += 1) {
        for (const tag of [...streamTags, 'queue', 'catalog']) {
          await acknowledges(ledgers, 100)
          const slot = await cluster.slotOf(`{${tag}}`)
          const from = await cluster.ownerOf(slot)
          const [to] = cluster.nodes.filter((node) => node !== from)
          await cluster.moveSlot(slot, from, to!, () => sleep(random.integer(0, 10)))
          expect(await cluster.ownerOf(slot)).toBe(to)
        }
      }
      await acknowledges(ledgers, 500)
    })
    for (const node of nodes.all) expect(node.isRunning, node.log.slice(-2_000)).toBe(true)
    await expectExactlyOnce(nodes, streams, outcome, `slots moved, seed ${seed}`)
  },
)
