/** The Redis that has the positions is killed and started again while sources are read. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { findRedis } from '../servers/redis.ts'
import { expectExactlyOnce } from './cluster-run.ts'
import { reads, startReading, underProduction, sourceTroubles } from './cluster-sources.ts'

const KILL_COUNT = Number(process.env['STANDPIPE_TEST_KILLS'] ?? 4)

test.runIf(available('Redis', (await findRedis()) !== undefined))(
  'kill -9 of Redis, and of a worker with it, while sources are read: each record once',
  async () => {
    const seed = testSeed()
    const random = new SeededRandom(seed)
    await using resources = new AsyncDisposableStack()
    const { feeds, redis, streams, nodes } = await startReading(resources, seed, 'always')

    const outcome = await underProduction(nodes, feeds, random, async () => {
      for (let kill = 0; kill < KILL_COUNT; kill += 1) {
        await reads(nodes.client, feeds, random.integer(100, 1_000))
        const victim = nodes.workers[kill % nodes.workers.length]!
        const dies = kill % 2 === 1
        if (dies) await victim.kill()
        await redis.kill()
        await sleep(random.integer(0, 3_000))
        await redis.restart()
        if (dies) await victim.start()
      }
      await reads(nodes.client, feeds, 500)
    })
    for (const node of nodes.all) expect(node.isRunning, node.log.slice(-2_000)).toBe(true)
    await expectExactlyOnce(nodes, streams, outcome, `${KILL_COUNT} kills of Redis, seed ${seed}`)
    expect(sourceTroubles(nodes)).toEqual([])
  },
)
