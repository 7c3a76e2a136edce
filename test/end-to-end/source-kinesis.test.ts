import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { kinesisArn, KinesisStream, startKinesis } from '../servers/kinesis.ts'
import type { KinesisServer } from '../servers/kinesis.ts'
import { balanced, readBooks, settledBooks } from './books.ts'
import { Service, eventually } from './harness.ts'
import type { HttpClient } from './http-client.ts'
import { decompressed, folderObjects } from './objects.ts'
import { describe } from './streams.ts'

/** A million: `STANDPIPE_TEST_SOURCE_RECORDS=1000000 npx vitest run source-kinesis`. */
const RECORD_COUNT = Number(process.env['STANDPIPE_TEST_SOURCE_RECORDS'] ?? 30_000)
const ROUNDS = 6
const PUT_COUNT = 2_500
/** Tens of thousands a second go through; this is for a machine that is busy with other things. */
const READ_MS_MAX = 60_000 + RECORD_COUNT
/** The server looks through all that is left of a shard at each call, so that more takes it minutes. */
const LAG_RECORDS_MAX = 40_000
const TEST_MS_MAX = 300_000 + 2 * RECORD_COUNT
const ROLE = 'arn:aws:iam::000000000000:role/firehose'

/** By the ARN, as the environment's credentials would be S3's too. */
function connectionTo({ endpoint }: KinesisServer, name: string): Record<string, string> {
  const keys = { accessKeyId: 'test', secretAccessKey: 'test' }
  return { STANDPIPE_CONNECTIONS: JSON.stringify([{ url: kinesisArn(name), endpoint, ...keys }]) }
}

async function deliverKinesis(client: HttpClient, name: string, start: JsonObject): Promise<void> {
  await client.expect('CreateDeliveryStream', {
    DeliveryStreamName: name,
    DeliveryStreamType: 'KinesisStreamAsSource',
    KinesisStreamSourceConfiguration: {
      KinesisStreamARN: kinesisArn(name),
      RoleARN: ROLE,
      ...start,
    },
    ExtendedS3DestinationConfiguration: {
      RoleARN: ROLE,
      BucketARN: `arn:aws:s3:::bucket-${name}`,
      BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 1 },
    },
  })
  await eventually(`stream ${name} is active`, 10_000, async () => {
    const { DeliveryStreamStatus } = await describe(client, name)
    return DeliveryStreamStatus === 'ACTIVE' ? true : undefined
  })
}

/** Lines that are unlike each other, of many keys: `key7:123`. */
function linesOf(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `key${(from + index) % 500}:${from + index}\n`)
}

async function delivered(service: Service, name: string): Promise<string[]> {
  const objects = await folderObjects(join(service.dataDir, 'buckets', `bucket-${name}`))
  return objects
    .flatMap((object) => decompressed(object).toString().split('\n'))
    .filter((line) => line !== '')
}

function faults(count: number, lines: readonly string[]): object {
  const seen = new Set<string>()
  const doubled = lines.filter((line) => seen.size === seen.add(line).size)
  const lost = linesOf(0, count).filter((line) => !seen.has(line.trimEnd()))
  return { lost: lost.slice(0, 20), doubled: doubled.slice(0, 20), foreign: seen.size - count }
}

test(
  'resharding under load and kill -9: nothing lost, nothing doubled, books balanced',
  async () => {
    const seed = testSeed()
    const random = new SeededRandom(seed)
    await using kinesis = (await startKinesis())!
    await using service = await Service.start({
      environment: connectionTo(kinesis, 'clicks'),
    })
    const stream = await KinesisStream.create(kinesis.client, 'clicks', 4)
    const client = service.client()
    await deliverKinesis(client, 'clicks', { StartingPosition: 'TRIM_HORIZON' })

    const readUpTo = (count: number): Promise<true> =>
      eventually(`${count} are read`, READ_MS_MAX, async () => {
        // It may just have been killed.
        const books = await readBooks(client, 'clicks').catch(() => undefined)
        return books !== undefined && books.accepted >= count ? true : undefined
      })
    let putCount = 0
    const put = async (until: number): Promise<void> => {
      while (putCount < until) {
        const lines = linesOf(putCount, Math.min(PUT_COUNT, until - putCount))
        await stream.put(lines)
        putCount += lines.length
        if (putCount > LAG_RECORDS_MAX) await readUpTo(putCount - LAG_RECORDS_MAX)
      }
    }
    for (let round = 1; round <= ROUNDS; round += 1) {
      const putting = put(Math.round((RECORD_COUNT * round) / ROUNDS))
      await stream.reshard(random, 2)
      // Every other round a kill strikes while shards are being read; some while the service starts.
      if (round % 2 === 0) {
        await sleep(random.integer(0, 1_500))
        await service.kill()
        service.spawn()
        if (round % 4 !== 0) await service.ready()
      }
      await putting
    }
    await service.ready()
    await readUpTo(RECORD_COUNT)
    const books = await settledBooks(client, 'clicks')
    const lines = await delivered(service, 'clicks')
    expect(faults(RECORD_COUNT, lines), `seed ${seed}`).toEqual({
      lost: [],
      doubled: [],
      foreign: 0,
    })
    expect(balanced(books), JSON.stringify(books)).toBe(true)
    expect(books).toMatchObject({ accepted: RECORD_COUNT, delivered: RECORD_COUNT, pending: 0 })
    client.close()
  },
  TEST_MS_MAX,
)

test('a stream that is made after the delivery stream is read from its creation on', async () => {
  await using kinesis = (await startKinesis())!
  await using service = await Service.start({
    environment: connectionTo(kinesis, 'early'),
  })
  const client = service.client()
  await deliverKinesis(client, 'early', {})
  const failure = await eventually('the failure is shown', 20_000, async () => {
    const { Source } = (await client.get('/streams/early')).body
    return (Source as JsonObject | undefined)?.['LastFailure']
  })
  expect(JSON.stringify(failure)).toContain('Kinesis.ResourceNotFound')
  const stream = await KinesisStream.create(kinesis.client, 'early', 1)
  await stream.put(linesOf(0, 100))
  await eventually('all is read', 60_000, async () => {
    const { delivered: count } = await readBooks(client, 'early')
    return count >= 100 ? true : undefined
  })
  expect(faults(100, await delivered(service, 'early'))).toEqual({
    lost: [],
    doubled: [],
    foreign: 0,
  })
  const refused = await client.call('PutRecord', {
    DeliveryStreamName: 'early',
    Record: { Data: 'YQ==' },
  })
  expect(refused.status).toBe(400)
  client.close()
})
