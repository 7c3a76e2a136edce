/** A worker that stands still while others read on with what it was reading, and wakes up. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { findRedis } from '../servers/redis.ts'
import type { RedisServer } from '../servers/redis.ts'
import type { Nodes } from './cluster-nodes.ts'
import { expectExactlyOnce } from './cluster-run.ts'
import {
  reads,
  startReading,
  underProduction,
  untilDelivered,
  untilSpread,
  sourceTroubles,
} from './cluster-sources.ts'
import type { Service } from './harness.ts'

/** Any worker reads anything then. */
const LEASELESS_MS = 2_000
const ROUND_COUNT = Number(process.env['STANDPIPE_TEST_PAUSES'] ?? 1)

test.runIf(available('Redis', (await findRedis()) !== undefined))(
  'a worker that stands still past its leases and wakes up, and leases forgotten, do no harm',
  async () => {
    const seed = testSeed()
    const random = new SeededRandom(seed)
    await using resources = new AsyncDisposableStack()
    const { feeds, redis, streams, nodes } = await startReading(resources, seed)
    const [zombie, ...others] = nodes.workers as [Service, Service, Service]

    const outcome = await underProduction(nodes, feeds, random, async (ledgers) => {
      for (let round = 0; round < ROUND_COUNT; round += 1) {
        await reads(nodes.client, feeds, 100)
        await untilSpread(nodes.workers, feeds)
        await sleep(random.integer(0, 1_000))
        zombie.pause()
        // Servers answer what it had asked for, and it does not hear of it yet.
        await sleep(1_500)
        await untilDelivered(streams, ledgers)
        await untilSpread(others, feeds)
        zombie.resume()
        await forgetLeases(redis, nodes)
        await reads(nodes.client, feeds, 500)
      }
      await untilSpread(nodes.workers, feeds)
    })
    await expectExactlyOnce(nodes, streams, outcome, `${ROUND_COUNT} pauses, seed ${seed}`)
    expect(sourceTroubles(nodes)).toEqual([])
  },
)

/** Whoever asks for leases gets them all for a while, as if there were nobody else. */
async function forgetLeases(redis: RedisServer, { prefix }: Nodes): Promise<void> {
  const keys = (await redis.call('KEYS', `${prefix}:*`)) as string[]
  const leases = keys.filter((key) => key.endsWith(':leases') || key.endsWith(':readers'))
  expect(leases.length).toBeGreaterThan(0)
  const endMs = performance.now() + LEASELESS_MS
  while (performance.now() < endMs) {
    await redis.call('DEL', ...leases)
    await sleep(20)
  }
}
