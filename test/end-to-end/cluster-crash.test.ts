/**
 * Three API nodes and three workers on one Redis, killed at random, with S3, OpenSearch and Postgres
 * behind. More on a machine that has the time: `STANDPIPE_TEST_KILLS=100 npx vitest run cluster-crash`.
 */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { installOpenSearch, startOpenSearch } from '../servers/opensearch.ts'
import { startPostgres } from '../servers/postgres.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import { startS3Server } from '../servers/s3-server.ts'
import { Nodes } from './cluster-nodes.ts'
import { expectExactlyOnce, killAtRandom, underLoad } from './cluster-run.ts'
import { bucketStream, createAll, searchStream, tableStream } from './cluster-streams.ts'
import type { TestedStream } from './cluster-streams.ts'
import { S3Buckets } from './s3-buckets.ts'

const KILL_COUNT = Number(process.env['STANDPIPE_TEST_KILLS'] ?? 5)

const s3Server = await startS3Server()
const hasRedis = (await findRedis()) !== undefined
const isHere = available('Redis, or S3 server', hasRedis && s3Server !== undefined)

test.runIf(isHere)('kill -9 of any node under load: nothing lost, nothing doubled', async () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  await using redis = (await startRedis({ appendonly: 'everysec' }))!
  await using s3 = new S3Buckets(s3Server!)
  await using resources = new AsyncDisposableStack()
  const bucket = (name: string, special: object, laneCount?: number): TestedStream =>
    bucketStream(name, { ...special }, () => s3.objects(name), laneCount)
  const streams = [
    bucket('plain', { CompressionFormat: 'GZIP' }),
    bucket('spread', { CompressionFormat: 'UNCOMPRESSED' }, 3),
    bucket('encrypted', { CompressionFormat: 'ZSTD' }),
    ...(await otherStreams(resources)),
  ]
  for (const { name } of streams) await s3.create(name)
  await using nodes = await Nodes.start({
    redis: redis.url,
    roles: ['api', 'api', 'api', 'worker', 'worker', 'worker'],
    environment: {
      ...s3.environment,
      STANDPIPE_SSE_KEY: randomBytes(32).toString('base64'),
    },
  })
  await createAll(nodes.client, streams)
  await nodes.client.expect('StartDeliveryStreamEncryption', { DeliveryStreamName: 'encrypted' })

  const outcome = await underLoad(nodes, { streams, random }, () =>
    killAtRandom(nodes, KILL_COUNT, random),
  )
  await expectExactlyOnce(nodes, streams, outcome, `${KILL_COUNT} kills, seed ${seed}`)
  expect(nodes.logLines(/"level":"error"/).slice(0, 5)).toEqual([])
})

/** Those whose servers this machine has. */
async function otherStreams(resources: AsyncDisposableStack): Promise<TestedStream[]> {
  const streams: TestedStream[] = []
  if (available('JDK and Maven, for OpenSearch', await installOpenSearch())) {
    streams.push(searchStream(resources.use(await startOpenSearch()), 'search'))
  }
  const postgres = await startPostgres()
  if (available('Postgres', postgres !== undefined) && postgres !== undefined) {
    streams.push(await tableStream(resources.use(postgres), 'rows'))
  }
  return streams
}
