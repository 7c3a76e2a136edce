/** Nodes that stand still for longer than their locks are held, and wake up. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
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
import type { Service } from './harness.ts'
import { lambda, processing } from './processing-service.ts'
import { s3Environment } from './streams.ts'

const ROUND_COUNT = Number(process.env['STANDPIPE_TEST_PAUSES'] ?? 2)
/** Until BullMQ has seen that the lock is gone, and a bit. */
const ASLEEP_MS = LOCK_MS + 4_000

/** Leaves records as they are, and its worker time to be stopped before the batch has a name. */
const SLOW = `
  import { setTimeout as sleep } from 'node:timers/promises'

  export async function handler({ records }) {
    await sleep(1_000)
    return { records: records.map(({ recordId, data }) => ({ recordId, result: 'Ok', data })) }
  }`

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
      fakeBucketStream(s3, 'slow', processing(lambda('slow')) as unknown as JsonObject),
      await tableStream(postgres!, 'rows'),
    ]
    await using functions = await FunctionsFolder.create({ 'slow.mjs': SLOW })
    await using nodes = await Nodes.start({
      redis: redis.url,
      roles: ['api', 'api', 'worker', 'worker', 'worker'],
      // Requests that hang are those that the test lets hang.
      environment: {
        ...s3Environment(s3),
        STANDPIPE_S3_REQUEST_TIMEOUT_MS: '60000',
        STANDPIPE_FUNCTIONS_DIR: functions.path,
      },
    })
    await createAll(nodes.client, streams)
    const [zombie, ...others] = nodes.workers as [Service, Service, Service]

    const outcome = await underLoad(nodes, { streams, random }, async (ledgers) => {
      for (let round = 0; round < ROUND_COUNT; round += 1) {
        await acknowledges(ledgers, 200)
        const others = round % 2 === 0 ? 'are done' : 'are at it'
        // Requests that had their effect and are not answered: each worker has some.
        if (others === 'are done') s3.misbehave({ hang: 0.2, 'hang-after': 0.4 })
        await sleep(random.integer(1_500, 2_500))
        zombie.pause()
        s3.misbehave(others === 'are done' ? FAULT_FREE : { 'hang-after': 1 })
        if (round === 1) nodes.apis[1]?.pause()
        await sleep(ASLEEP_MS)
        zombie.resume()
        if (round === 1) nodes.apis[1]?.resume()
        await sleep(2_000)
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

class FunctionsFolder implements AsyncDisposable {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** @param sources by file name */
  static async create(sources: Readonly<Record<string, string>>): Promise<FunctionsFolder> {
    const path = await mkdtemp(join(tmpdir(), 'standpipe-functions-'))
    for (const [name, text] of Object.entries(sources)) await writeFile(join(path, name), text)
    return new FunctionsFolder(path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}
