/**
 * What the Redis backend costs, and whether it grows with its workers.
 *
 * - The same load through `standpipe serve` on the embedded backend and on a Redis, objects in local
 *   folders: processor time of the service, and of the Redis beside it.
 * - A backlog in the Redis, delivered to an S3 server by 1, 2 and 4 worker processes of one thread each.
 *   On two cores more than two can't be faster; a record that costs the same with each, and an idle
 *   share that goes to nothing, show that they don't wait for each other.
 */
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { startRedis } from '../test/servers/redis.ts'
import type { RedisServer } from '../test/servers/redis.ts'
import { startS3Server } from '../test/servers/s3-server.ts'
import { runLoad } from './load.ts'
import { cpuSeconds, idleSeconds } from './process-figures.ts'
import { createStreams, measureService, totals } from './service-row.ts'
import type { ServicePlan } from './service-row.ts'
import { ServiceUnderTest } from './service-under-test.ts'
import { post } from './signing.ts'

type Compression = ServicePlan['compression']

export interface BackendRow {
  readonly name: string
  readonly acceptedPerSecond: number
  readonly deliveredPerSecond: number
  readonly cpuSecondsPerMillion: number
  /** Of the Redis; 0 without one. */
  readonly redisCpuSecondsPerMillion: number
  /** Of the embedded backend's. */
  readonly ratio: number
  readonly memoryPeakMiB: number
}

export interface WorkersRow {
  readonly workerCount: number
  readonly deliveredPerSecond: number
  readonly cpuSecondsPerMillion: number
  readonly redisCpuSecondsPerMillion: number
  /** Of the machine, while they delivered. */
  readonly idleShare: number
}

const STREAM_COUNT = 4
const CONNECTION_COUNT = 8
const CORES = 2

export async function measureBackends(
  compression: Compression,
  recordCount: number,
): Promise<BackendRow[] | undefined> {
  const redis = await startRedis({ appendonly: 'everysec' })
  if (redis === undefined) return undefined
  await using _server = redis
  const plan: ServicePlan = {
    name: '',
    compression,
    streamCount: 1,
    signed: false,
    objectMiB: 16,
  }
  const embedded = await measureService({ ...plan, name: 'embedded' }, recordCount)
  const before = cpuSeconds(redis.pid ?? 0)
  const shared = await measureService(
    { ...plan, name: 'redis', environment: { STANDPIPE_BACKEND: redis.url } },
    recordCount,
  )
  const redisCpu = cpuSeconds(redis.pid ?? 0) - before
  return [embedded, shared].map((row) => ({
    ...row,
    name: `${compression}, ${row.name}`,
    // The records that warm up cost the Redis as much as those that count.
    redisCpuSecondsPerMillion:
      row === shared ? (redisCpu * 1e6) / (recordCount + Math.min(recordCount, 200_000)) : 0,
    ratio: row.cpuSecondsPerMillion / embedded.cpuSecondsPerMillion,
  }))
}

export async function measureWorkers(
  workerCounts: readonly number[],
  recordCount: number,
): Promise<WorkersRow[] | undefined> {
  const redis = await startRedis({ appendonly: 'everysec' })
  const s3 = await startS3Server()
  if (redis === undefined || s3 === undefined) return undefined
  await using _servers = (() => {
    const servers = new AsyncDisposableStack()
    servers.use(redis)
    servers.use(s3)
    return servers
  })()
  const { endpoint, region, credentials } = s3
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: 'bench' }))
  client.destroy()
  const environment = {
    STANDPIPE_BACKEND: redis.url,
    STANDPIPE_WORKERS: '1',
    STANDPIPE_REDIS_STREAM_CLAIMS: '16',
    STANDPIPE_S3_ENDPOINT: endpoint,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  }
  const api = await ServiceUnderTest.create(environment, 'api')
  try {
    await api.start()
    const streamNames = await createStreams(api, {
      compression: 'GZIP',
      streamCount: STREAM_COUNT,
      objectMiB: 4,
    })
    const rows: WorkersRow[] = []
    // The first run is not counted: code is compiled, files grow.
    for (const workerCount of [1, ...workerCounts]) {
      await load(api, streamNames, recordCount)
      rows.push(await drain(api, streamNames, { redis, environment, workerCount, recordCount }))
    }
    return rows.slice(1)
  } finally {
    await api.remove()
  }
}

async function load(
  { port }: ServiceUnderTest,
  streamNames: readonly string[],
  recordCount: number,
): Promise<void> {
  await runLoad({ port, streamNames, recordCount, connectionCount: CONNECTION_COUNT })
  for (const name of streamNames) await post(port, `/streams/${name}/flush`, undefined)
}

interface DrainPlan {
  readonly redis: RedisServer
  readonly environment: Record<string, string>
  readonly workerCount: number
  readonly recordCount: number
}

/** Starts the workers, and stops the time until the backlog is gone. */
async function drain(
  api: ServiceUnderTest,
  streamNames: readonly string[],
  { redis, environment, workerCount, recordCount }: DrainPlan,
): Promise<WorkersRow> {
  const workers = await Promise.all(
    Array.from({ length: workerCount }, () => ServiceUnderTest.create(environment, 'worker')),
  )
  try {
    const redisBefore = cpuSeconds(redis.pid ?? 0)
    await Promise.all(workers.map((worker) => worker.start()))
    // From here on: what starting costs is no matter of records.
    const pendingAtStart = (await totals(api, { signed: false }, streamNames)).pending
    const cpuBefore = sumOf(workers)
    const idleBefore = idleSeconds()
    const started = performance.now()
    while ((await totals(api, { signed: false }, streamNames)).pending > 0) {
      await new Promise((resolve) => void setTimeout(resolve, 50))
    }
    const seconds = (performance.now() - started) / 1_000
    return {
      workerCount,
      deliveredPerSecond: pendingAtStart / seconds,
      cpuSecondsPerMillion: ((sumOf(workers) - cpuBefore) * 1e6) / pendingAtStart,
      redisCpuSecondsPerMillion: ((cpuSeconds(redis.pid ?? 0) - redisBefore) * 1e6) / recordCount,
      idleShare: (idleSeconds() - idleBefore) / (seconds * CORES),
    }
  } finally {
    for (const worker of workers) await worker.remove()
  }
}

function sumOf(workers: readonly ServiceUnderTest[]): number {
  return workers.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0)
}
