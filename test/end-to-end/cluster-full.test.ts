/** A small Redis, and a destination that is down: it fills up, refuses, and recovers. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { available } from '../clients/available.ts'
import { FAULT_FREE, OUTAGE } from '../fakes/fault-plan.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom } from '../fakes/seeded-random.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import type { RedisServer } from '../servers/redis.ts'
import { balanced, settledBooks } from './books.ts'
import { Nodes } from './cluster-nodes.ts'
import { createAll, fakeBucketStream } from './cluster-streams.ts'
import { eventually } from './harness.ts'
import type { HttpClient } from './http-client.ts'
import { Ledger } from './ledger.ts'
import { s3Objects } from './objects.ts'
import { bucketOf, s3Environment } from './streams.ts'

const MEMORY_BYTES_MAX = 64 * 1024 * 1024
const RECORDS_A_BATCH = 40
const RECORD_BYTES = 25_000

test.runIf(available('Redis', (await findRedis()) !== undefined))(
  'a full Redis: puts get ServiceUnavailableException, nothing is lost, and puts come back',
  async () => {
    await using redis = (await startRedis({
      appendonly: 'everysec',
      maxmemory: String(MEMORY_BYTES_MAX),
    }))!
    await using s3 = await FaultyS3.start(new SeededRandom(1))
    const stream = fakeBucketStream(s3, 'plain')
    await using nodes = await Nodes.start({
      redis: redis.url,
      roles: ['api', 'api', 'worker', 'worker'],
      environment: s3Environment(s3),
    })
    await createAll(nodes.client, [stream])
    s3.misbehave(OUTAGE)
    const watching = new MemoryWatch(redis)
    const ledger = new Ledger()
    const senders = nodes.clients.map((client, index) => new Sender(client, ledger, index * 1e6))

    // All at once: none knows what the others have just sent.
    await Promise.all(
      senders.map(async (sender) => {
        for (let sent = 0; (await sender.send()) === undefined; sent += 1) {
          expect(sent, 'batches of 1 MB taken').toBeLessThan(200)
        }
      }),
    )
    expect(ledger.acknowledged.size * RECORD_BYTES).toBeGreaterThan(MEMORY_BYTES_MAX / 3)
    // Who goes on is refused, again and again, and it gets no fuller.
    for (let repeat = 0; repeat < 20; repeat += 1) {
      for (const sender of senders) expect(await sender.send()).toBe('ServiceUnavailableException')
    }
    for (const client of nodes.clients) {
      expect((await client.get('/health/live')).status).toBe(200)
      expect((await client.get('/health/ready')).status).toBe(503)
    }
    // Also a crash while it is full must lose nothing.
    await Promise.all(nodes.all.map((node) => node.kill()))
    for (const node of nodes.all) node.spawn()
    await Promise.all(nodes.all.map((node) => node.ready('live')))

    s3.misbehave(FAULT_FREE)
    await eventually('puts are taken again', 60_000, async () =>
      (await senders[0]!.send()) === undefined ? true : undefined,
    )
    await nodes.ready()
    const books = await settledBooks(nodes.client, 'plain')
    const delivered = s3Objects(s3.bucket(bucketOf('plain'))).flatMap(({ bytes }) => idsOf(bytes))
    expect(ledger.findings(delivered).slice(0, 20)).toEqual([])
    expect(books).toMatchObject({ pending: 0, delivered: delivered.length })
    expect(balanced(books), JSON.stringify(books)).toBe(true)
    await watching.end()
    console.info(
      `full Redis: at most ${watching.mostBytes} of ${MEMORY_BYTES_MAX} bytes, ${ledger.acknowledged.size} ` +
        'records taken',
    )
    expect(watching.mostBytes).toBeLessThan(MEMORY_BYTES_MAX)
    expect(watching.refusedCount).toBe(0)
    expect(nodes.logLines(/OOM/).slice(0, 5)).toEqual([])
  },
)

/** Sends batches of 1 MB that can't be compressed, one after the other. */
class Sender {
  readonly #client: HttpClient
  readonly #ledger: Ledger
  #lastId: number

  constructor(client: HttpClient, ledger: Ledger, firstId: number) {
    this.#client = client
    this.#ledger = ledger
    this.#lastId = firstId
  }

  /** Resolves with the error code of the first record that was refused, if any was. */
  async send(): Promise<unknown> {
    const ids = Array.from({ length: RECORDS_A_BATCH }, () => `plain-${(this.#lastId += 1)}`)
    const { status, body } = await this.#client.call('PutRecordBatch', {
      DeliveryStreamName: 'plain',
      Records: ids.map((id) => ({ Data: recordOf(id).toString('base64') })),
    })
    if (this.#ledger.enter(ids, status, body) === 0) return undefined
    const responses = (body['RequestResponses'] ?? []) as JsonObject[]
    return (
      body['__type'] ?? responses.find(({ ErrorCode }) => ErrorCode !== undefined)?.['ErrorCode']
    )
  }
}

function recordOf(id: string): Buffer {
  return Buffer.from(`${id} ${randomBytes(RECORD_BYTES / 2).toString('hex')}\n`)
}

function idsOf(bytes: Buffer): string[] {
  const lines = bytes.toString('latin1').split('\n').slice(0, -1)
  return lines.map((line) => line.split(' ')[0] ?? '')
}

/** Looks at a Redis until it is told to end, or Redis ends. */
class MemoryWatch {
  readonly #redis: RedisServer
  readonly #stop = new AbortController()
  readonly #watching: Promise<void>
  mostBytes = 0
  /** Commands that Redis refused for want of memory. */
  refusedCount = 0

  constructor(redis: RedisServer) {
    this.#redis = redis
    this.#watching = this.#watch().catch(() => undefined)
  }

  async end(): Promise<void> {
    this.#stop.abort()
    await this.#watching
  }

  async #watch(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.mostBytes = Math.max(this.mostBytes, Number(await this.#redis.info('used_memory')))
      this.refusedCount = Number(/\d+/.exec((await this.#redis.info('errorstat_OOM')) ?? '0')?.[0])
      await sleep(20)
    }
  }
}
