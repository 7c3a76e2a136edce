/** The whole service over Redis streams, while it and their Redis are killed. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import type { RedisServer } from '../servers/redis.ts'
import { balanced, settledBooks } from './books.ts'
import { Service, eventually } from './harness.ts'
import type { HttpClient } from './http-client.ts'
import { decompressed, folderObjects } from './objects.ts'
import { describe } from './streams.ts'

/** A million: `STANDPIPE_TEST_SOURCE_RECORDS=1000000 npx vitest run source-redis`. */
const RECORD_COUNT = Number(process.env['STANDPIPE_TEST_SOURCE_RECORDS'] ?? 30_000)
const ROUNDS = 8
const ADD_COUNT = 500
/** Tens of thousands a second go through; this is for a machine that is busy with other things. */
const READ_MS_MAX = 60_000 + RECORD_COUNT
const KEYS = ['orders:a', 'orders:b', 'orders:c']
const NAME = 'orders'
/** What is logged of each gap (source-tally.ts). */
const GAP_MESSAGE = 'Records of a source went before they could be read.'
const ROLE = 'arn:aws:iam::000000000000:role/firehose'
const isHere = available('Redis', (await findRedis()) !== undefined)

async function deliver(client: HttpClient, server: RedisServer): Promise<void> {
  await client.expect('CreateDeliveryStream', {
    DeliveryStreamName: NAME,
    DeliveryStreamType: 'RedisStreamAsSource',
    RedisStreamSourceConfiguration: {
      RedisUrl: server.url,
      StreamKeys: KEYS,
      StartingPosition: 'TRIM_HORIZON',
    },
    ExtendedS3DestinationConfiguration: {
      RoleARN: ROLE,
      BucketARN: `arn:aws:s3:::bucket-${NAME}`,
      BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 1 },
    },
  })
  await eventually(`stream ${NAME} is active`, 10_000, async () => {
    const { DeliveryStreamStatus } = await describe(client, NAME)
    return DeliveryStreamStatus === 'ACTIVE' ? true : undefined
  })
}

/** What the record of that number is; they go to the keys in turn. */
function lineOf(number: number): string {
  return `${KEYS[number % KEYS.length]}:${number}`
}

/** Adds the records of these numbers. An id can't be added twice, so that it may be repeated. */
async function add(client: Redis, from: number, to: number): Promise<void> {
  for (let first = from; first < to;) {
    const end = Math.min(first + ADD_COUNT, to)
    const adding = client.pipeline()
    for (let number = first; number < end; number += 1) {
      const key = KEYS[number % KEYS.length]!
      adding.xadd(key, `1-${number + 1}`, 'data', `${lineOf(number)}\n`, 'type', 'order')
    }
    const answers = await adding.exec().catch(() => null)
    if (answers?.every(([error]) => error === null || isThere(error)) === true) first = end
    else await sleep(100)
  }
}

function isThere({ message }: Error): boolean {
  return message.includes('equal or smaller')
}

async function delivered(service: Service): Promise<string[]> {
  const objects = await folderObjects(join(service.dataDir, 'buckets', `bucket-${NAME}`))
  return objects
    .flatMap((object) => decompressed(object).toString().split('\n'))
    .filter((line) => line !== '')
}

function faults(lines: readonly string[]): object {
  const seen = new Set<string>()
  const doubled = lines.filter((line) => seen.size === seen.add(line).size)
  const expected = Array.from({ length: RECORD_COUNT }, (_, number) => lineOf(number))
  const lost = expected.filter((line) => !seen.has(line))
  return {
    lost: lost.slice(0, 20),
    doubled: doubled.slice(0, 20),
    foreignCount: seen.size + lost.length - RECORD_COUNT,
  }
}

test.runIf(isHere)(
  'kill -9 of the service and of the Redis under load: nothing lost, nothing doubled',
  async () => {
    const seed = testSeed()
    const random = new SeededRandom(seed)
    await using server = (await startRedis({ appendonly: 'everysec' }))!
    await using service = await Service.start()
    const client = service.client()
    await deliver(client, server)
    const redis = new Redis(server.url, { maxRetriesPerRequest: null })
    redis.on('error', () => undefined)

    for (let round = 0; round < ROUNDS; round += 1) {
      const share = RECORD_COUNT / ROUNDS
      const adding = add(redis, Math.floor(round * share), Math.floor((round + 1) * share))
      await sleep(random.integer(0, 300))
      if (round % 2 === 0) {
        await service.kill()
        await service.start()
      } else {
        await server.kill()
        await sleep(random.integer(0, 1_000))
        await server.restart()
      }
      await adding
    }
    redis.disconnect()

    await eventually('all is accepted', READ_MS_MAX, async () => {
      const { accepted } = await settledBooks(client, NAME)
      return accepted >= RECORD_COUNT ? true : undefined
    })
    const books = await settledBooks(client, NAME)
    const lines = await delivered(service)
    expect(faults(lines), `seed ${seed}`).toEqual({ lost: [], doubled: [], foreignCount: 0 })
    expect(balanced(books)).toBe(true)
    expect(books).toMatchObject({ accepted: RECORD_COUNT, delivered: RECORD_COUNT, pending: 0 })
    // Of all its lives: what a source counts begins anew with each.
    expect(service.log).not.toContain(GAP_MESSAGE)
    const groups = await Promise.all(
      KEYS.map(async (key) => (await server.call('XINFO', 'GROUPS', key)) as unknown[][]),
    )
    const pending = groups.flat().map((facts) => facts[facts.indexOf('pending') + 1])
    expect(pending).toEqual([0, 0, 0])
    client.close()
  },
  READ_MS_MAX + 120_000,
)

test.runIf(isHere)(
  'what the source does is told: description, lag, and a Redis that is gone',
  async () => {
    await using server = (await startRedis({ appendonly: 'everysec' }))!
    await using service = await Service.start()
    const client = service.client()
    await deliver(client, server)
    const { Source } = await describe(client, NAME)
    expect(Source).toEqual({
      RedisStreamSourceDescription: {
        RedisUrl: server.url,
        StreamKeys: KEYS,
        RecordFormat: 'VALUE',
        StartingPosition: 'TRIM_HORIZON',
      },
    })
    await server.call('XADD', KEYS[0]!, '*', 'data', 'one')
    const status = async (text: string): Promise<true | undefined> => {
      const { body } = await client.get(`/streams/${NAME}`)
      return JSON.stringify(body).includes(text) ? true : undefined
    }
    await eventually('the record is accepted', 20_000, async () => {
      const { accepted } = await settledBooks(client, NAME)
      return accepted === 1 ? true : undefined
    })
    await server.kill()
    await eventually('the failure is shown', 20_000, () => status('Redis.ConnectionFailed'))
    await server.restart()
    await server.call('XADD', KEYS[0]!, '*', 'data', 'two')
    await eventually('the next record is accepted', 60_000, async () => {
      const { accepted } = await settledBooks(client, NAME)
      return accepted === 2 ? true : undefined
    })
    client.close()
  },
)
