/**
 * Three workers share real sources, and are killed at random while shards are split and merged. More on
 * a machine that has the time: `STANDPIPE_TEST_KILLS=100 npx vitest run cluster-sources.test`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { findRedis } from '../servers/redis.ts'
import { expectExactlyOnce, killAtRandom } from './cluster-run.ts'
import {
  reads,
  startReading,
  underProduction,
  untilSpread,
  sourceTroubles,
} from './cluster-sources.ts'
import type { Feed } from './source-feeds.ts'

const KILL_COUNT = Number(process.env['STANDPIPE_TEST_KILLS'] ?? 4)
const REARRANGE_MS = 2_500

test.runIf(available('Redis', (await findRedis()) !== undefined))(
  'kill -9 of nodes while partitions are rearranged: each record once, and all workers read',
  async () => {
    const seed = testSeed()
    const random = new SeededRandom(seed)
    await using resources = new AsyncDisposableStack()
    const { feeds, streams, nodes } = await startReading(resources, seed)
    const [leaver] = nodes.workers

    const outcome = await underProduction(nodes, feeds, random, async () => {
      await reads(nodes.client, feeds, 100)
      await untilSpread(nodes.workers, feeds)
      const killed = new AbortController()
      const rearranging = rearrange(feeds, random, killed.signal)
      await killAtRandom(nodes, KILL_COUNT, random)
      killed.abort()
      await rearranging
      // One that leaves in peace has nobody wait for it.
      expect(await leaver!.terminate()).toBe(0)
      await reads(nodes.client, feeds, 100)
      await leaver!.start()
      await untilSpread(nodes.workers, feeds)
    })
    await expectExactlyOnce(nodes, streams, outcome, `${KILL_COUNT} kills, seed ${seed}`)
    expect(sourceTroubles(nodes)).toEqual([])
    expect(nodes.logLines(/"level":"error"/).slice(0, 5)).toEqual([])
  },
)

async function rearrange(
  feeds: readonly Feed[],
  random: SeededRandom,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await Promise.all(feeds.map((feed) => feed.rearrange(random)))
    await sleep(REARRANGE_MS)
  }
}
