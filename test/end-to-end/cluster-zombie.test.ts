/** Nodes that stand still for longer than their locks are held, and wake up. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { FAULT_FREE } from '../fakes/fault-plan.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { startPostgres } from '../servers/postgres.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import { readBooks } from './books.ts'
import { LOCK_MS, Nodes } from './cluster-nodes.ts'
import { acknowledges, expectExactlyOnce, underLoad } from './cluster-run.ts'
import { createAll, fakeBucketStream, tableStream } from './cluster-streams.ts'
import { eventually } from './harness.ts'
import { s3Environment } from './streams.ts'

const ROUND_COUNT = Number(process.env['STANDPIPE_TEST_PAUSES'] ?? 3)
/** Until BullMQ has seen that the lock is gone, and a bit. */
const ASLEEP_MS = LOCK_MS + 4_000

const postgres = await startPostgres()
afterAll(async () => postgres?.[Symbol.asyncDispose]())
const hasRedis = (await findRedis()) !== undefined

test.runIf(available('Redis, or Postgres', hasRedis && postgres !== undefined))(
  'a worker that stands still in the middle of deliveries, and wakes up, does no harm',
  async () => {
    const seed = testSeed()
    const random = new SeededRandom(seed)
    await using redis = (await startRedis({ appendonly: 'everysec' }))!
    await using s3 = await FaultyS3.start(new SeededRandom(seed + 1))
    const streams = [
      fakeBucketStream(s3, 'plain'),
      fakeBucketStream(s3, 'gzip', { CompressionFormat: 'GZIP' }),
      await tableStream(postgres!, 'rows'),
    ]
    await using nodes = await Nodes.start({
      redis: redis.url,
      roles: ['api', 'api', 'worker', 'worker', 'worker'],
      // Requests that hang are those that the test lets hang.
      environment: { ...s3Environment(s3), STANDPIPE_S3_REQUEST_TIMEOUT_MS: '60000' },
    })
    await createAll(nodes.client, streams)
    const [zombie, ...others] = nodes.workers as [Service, Service, Service]

    const outcome = await underLoad(nodes, { streams, random }, async (ledgers) => {
      for (let round = 0; round < ROUND_COUNT; round += 1) {
        await acknowledges(ledgers, 200)
        // Requests that had their effect and are not answered: each worker has some.
        s3.misbehave({ hang: 0.2, 'hang-after': 0.4 })
        await sleep(random.integer(800, 1_600))
        zombie.pause()
        s3.misbehave(FAULT_FREE)
        if (round === 1) nodes.apis[1]?.pause()
        await sleep(ASLEEP_MS)
        // It wakes up when what it had in hand is delivered, or while others are at it.
        if (round % 2 === 1) s3.misbehave({ 'hang-after': 1 })
        zombie.resume()
        if (round === 1) nodes.apis[1]?.resume()
        await sleep(random.integer(200, 1_000))
        s3.misbehave(FAULT_FREE)
      }
    })
    // What is new is for the zombie alone: it works as before.
    await Promise.all(others.map((worker) => worker.kill()))
    const before = (await readBooks(nodes.client, 'plain')).delivered
    const record = streams[0]!.recordOf('plain-1000000', 10)
    const { RecordId } = await nodes.client.expect('PutRecord', {
      DeliveryStreamName: 'plain',
      Record: { Data: record.toString('base64') },
    })
    outcome.ledgers.get('plain')?.acknowledge('plain-1000000', RecordId as string)
    await eventually('it delivers', 30_000, async () =>
      (await readBooks(nodes.client, 'plain')).delivered > before ? true : undefined,
    )
    await expectExactlyOnce(nodes, streams, outcome, `${ROUND_COUNT} pauses, seed ${seed}`)
    expect(nodes.logLines(/"level":"error"/).slice(0, 5)).toEqual([])
  },
)
