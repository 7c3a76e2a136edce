import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateDeliveryStreamCommand, FirehoseClient } from '@aws-sdk/client-firehose'
import type { ExtendedS3DestinationConfiguration } from '@aws-sdk/client-firehose'
import { runLoad } from './load.ts'
import type { LoadResult } from './load.ts'
import { cpuSeconds, memoryMiB, percentile } from './process-figures.ts'
import { ACCESS_KEY, ServiceUnderTest } from './service-under-test.ts'
import { getJson, post } from './signing.ts'
import { meanRecordBytes } from './workload.ts'

export interface ServicePlan {
  readonly name: string
  readonly compression: 'GZIP' | 'ZSTD' | 'UNCOMPRESSED'
  readonly streamCount: number
  readonly signed: boolean
  /** Batches are of this size whatever the number of streams, so that only that number differs. */
  readonly objectMiB: number
  /** Members of the destination besides those that follow from the rest. */
  readonly extended?: Partial<ExtendedS3DestinationConfiguration>
  readonly environment?: Readonly<Record<string, string>>
}

type StreamsPlan = Pick<ServicePlan, 'compression' | 'streamCount' | 'objectMiB' | 'extended'>

export interface Row {
  readonly name: string
  readonly acceptedPerSecond: number
  /** From the first byte sent until the last record is delivered. */
  readonly deliveredPerSecond: number
  readonly cpuSecondsPerMillion: number
  readonly compressionRatio: number | undefined
  readonly p50Ms: number
  readonly p99Ms: number
  readonly memoryPeakMiB: number
}

const CONNECTION_COUNT = 8
/** Lets the compiler of the JavaScript engine settle before anything counts. */
const WARM_UP_RECORDS = 200_000

/** Standpipe under one plan, with objects in local folders. */
export async function measureService(plan: ServicePlan, recordCount: number): Promise<Row> {
  const service = await ServiceUnderTest.create({
    ...plan.environment,
    ...(plan.signed ? { STANDPIPE_ACCESS_KEYS: ACCESS_KEY } : {}),
  })
  try {
    await service.start()
    const streamNames = await createStreams(service, plan)
    const load = {
      port: service.port,
      streamNames,
      connectionCount: CONNECTION_COUNT,
      ...(plan.signed ? { accessKey: ACCESS_KEY } : {}),
    }
    await runLoad({ ...load, recordCount: Math.min(WARM_UP_RECORDS, recordCount) })
    await delivered(service, plan, streamNames)
    const before = await totals(service, plan, streamNames)
    const cpuBefore = cpuSeconds(service.pid)
    const started = performance.now()
    const result = await runLoad({ ...load, recordCount })
    await delivered(service, plan, streamNames)
    const seconds = (performance.now() - started) / 1_000
    const cpu = cpuSeconds(service.pid) - cpuBefore
    const after = await totals(service, plan, streamNames)
    if (after.delivered - before.delivered !== recordCount) {
      throw new Error(`Cannot measure: ${after.delivered - before.delivered} records delivered`)
    }
    return {
      ...rowOf(plan.name, result, seconds, cpu),
      compressionRatio: await compressionRatio(service, after.delivered * meanRecordBytes()),
      memoryPeakMiB: memoryMiB(service.pid).peak,
    }
  } finally {
    await service.remove()
  }
}

export function rowOf(name: string, result: LoadResult, seconds: number, cpu: number): Row {
  return {
    name,
    acceptedPerSecond: result.acceptedCount / result.seconds,
    deliveredPerSecond: result.acceptedCount / seconds,
    cpuSecondsPerMillion: (cpu * 1e6) / result.acceptedCount,
    compressionRatio: undefined,
    p50Ms: percentile(result.latenciesMs, 0.5),
    p99Ms: percentile(result.latenciesMs, 0.99),
    memoryPeakMiB: 0,
  }
}

export async function createStreams(
  service: ServiceUnderTest,
  { compression, streamCount, objectMiB, extended }: StreamsPlan,
): Promise<string[]> {
  const [accessKeyId = '', secretAccessKey = ''] = ACCESS_KEY.split(':')
  const client = new FirehoseClient({
    endpoint: `http://127.0.0.1:${service.port}`,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
  })
  const names = Array.from({ length: streamCount }, (_, index) => `bench-${index}`)
  for (const name of names) {
    await client.send(
      new CreateDeliveryStreamCommand({
        DeliveryStreamName: name,
        ExtendedS3DestinationConfiguration: {
          RoleARN: 'arn:aws:iam::000000000000:role/bench',
          BucketARN: 'arn:aws:s3:::bench',
          BufferingHints: { SizeInMBs: objectMiB, IntervalInSeconds: 60 },
          CompressionFormat: compression as 'GZIP',
          ...extended,
        },
      }),
    )
  }
  client.destroy()
  return names
}

export interface Totals {
  readonly delivered: number
  readonly pending: number
}

/** The books of all streams together. */
export async function totals(
  service: ServiceUnderTest,
  { signed }: Pick<ServicePlan, 'signed'>,
  streamNames: readonly string[],
): Promise<Totals> {
  const sum = { delivered: 0, pending: 0 }
  for (const name of streamNames) {
    const accessKey = signed ? ACCESS_KEY : undefined
    const status = await getJson(service.port, `/streams/${name}`, accessKey)
    const { Books: books } = status as { Books: { Delivered: number; Pending: number } }
    sum.delivered += books.Delivered
    sum.pending += books.Pending
  }
  return sum
}

/** Flushes all streams; resolves when nothing is pending. */
export async function delivered(
  service: ServiceUnderTest,
  plan: Pick<ServicePlan, 'signed'>,
  streamNames: readonly string[],
): Promise<void> {
  const accessKey = plan.signed ? ACCESS_KEY : undefined
  for (const name of streamNames) await post(service.port, `/streams/${name}/flush`, accessKey)
  for (const name of streamNames) {
    while ((await totals(service, plan, [name])).pending > 0) await sleep(100)
  }
}

/** Bytes of records over bytes of objects. */
async function compressionRatio({ dataDir }: ServiceUnderTest, dataBytes: number): Promise<number> {
  const bucket = join(dataDir, 'buckets', 'bench')
  const names = await readdir(bucket, { recursive: true })
  const sizes = await Promise.all(
    names.map(async (name) => {
      const entry = await stat(join(bucket, name))
      return entry.isFile() ? entry.size : 0
    }),
  )
  return dataBytes / sizes.reduce((sum, size) => sum + size, 0)
}
