/** Sources that are half read when the service moves to another backend: it goes on where it stopped. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { FAULT_FREE, OUTAGE } from '../fakes/fault-plan.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import { readBooks } from './books.ts'
import { feedStreams, reads, whileProducing } from './cluster-sources.ts'
import { createAll } from './cluster-streams.ts'
import { command, Service } from './harness.ts'
import { feedEnvironment, startFeeds } from './source-feeds.ts'
import { s3Environment } from './streams.ts'

test.runIf(available('Redis', (await findRedis()) !== undefined))(
  'sources are read on with Redis where they were left in a directory, and back',
  async () => {
    const seed = testSeed()
    const random = new SeededRandom(seed)
    await using resources = new AsyncDisposableStack()
    const feeds = await startFeeds(resources)
    await using s3 = await FaultyS3.start(new SeededRandom(seed + 1))
    await using redis = (await startRedis({ appendonly: 'everysec' }))!
    const streams = feedStreams(feeds, s3)
    const embedded = {
      ...s3Environment(s3),
      ...feedEnvironment(feeds),
      STANDPIPE_DRAIN_TIMEOUT_MS: '2000',
    }
    const onRedis = {
      ...embedded,
      STANDPIPE_BACKEND: `${redis.url}?prefix=moved`,
      STANDPIPE_REDIS_FSYNC: 'everysec',
    }
    await using service = await Service.start({ environment: embedded })
    await using other = await Service.create({ environment: onRedis })
    await using third = await Service.create({ environment: embedded })
    const file = join(service.dataDir, 'moved.export')

    const ledgers = await whileProducing(feeds, random, async () => {
      const client = service.client()
      await createAll(client, streams)
      await reads(client, feeds, 300)
      // What is delivered meanwhile is not known to be, and moves.
      s3.misbehave({ 'error-after': 1 })
      await reads(client, feeds, 300)
      s3.misbehave(OUTAGE)
      await reads(client, feeds, 300)
      const held = await readBooks(client, 'redis')
      expect(held.pending).toBeGreaterThan(0)
      await service.terminate()
      client.close()
      await command(['data', 'export', file], environmentOf(service, embedded))
      await command(['data', 'import', file], environmentOf(other, onRedis))

      await other.start()
      const otherClient = other.client()
      await reads(otherClient, feeds, 300)
      s3.misbehave(FAULT_FREE)
      await reads(otherClient, feeds, 300)
      await other.terminate()
      otherClient.close()
      await command(['data', 'export', `${file}.back`], environmentOf(other, onRedis))
      await command(['data', 'import', `${file}.back`], environmentOf(third, embedded))
      await third.start()
    })
    const client = third.client()
    for (const stream of streams) {
      const verdict = await stream.judge(client, ledgers.get(stream.name)!)
      expect(verdict, `${stream.name}, seed ${seed}`).toMatchObject({
        findings: [],
        bookProblems: [],
      })
    }
    for (const { log } of [service, other, third]) {
      expect(log).not.toContain('went before they could be read')
    }
    client.close()
  },
)

/** What a command needs to find what the service has. */
function environmentOf({ dataDir }: Service, environment: object) {
  return { PATH: process.env['PATH'] ?? '', STANDPIPE_DATA_DIR: dataDir, ...environment }
}
