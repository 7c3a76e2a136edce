/**
 * `standpipe data export` and `import` between real processes: what a stopped service had not delivered
 * is delivered by one on another backend, each record once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { FAULT_FREE, OUTAGE } from '../fakes/fault-plan.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import type { RedisServer } from '../servers/redis.ts'
import { balanced, readBooks } from './books.ts'
import { judge } from './crash-run.ts'
import { command, Service } from './harness.ts'
import type { HttpClient } from './http-client.ts'
import { Ledger } from './ledger.ts'
import { s3Objects } from './objects.ts'
import { bucketOf, describe, s3Environment, smallStream } from './streams.ts'
import { lineOf } from './traffic.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)
const STREAMS = ['plain', 'secret', 'held']
type Ledgers = ReadonlyMap<string, Ledger>
let lastId = 0

test.runIf(isHere)(
  'a service goes on with its records on Redis, and back in a directory',
  async () => {
    const seed = testSeed()
    await using s3 = await FaultyS3.start(new SeededRandom(seed))
    await using redis = (await startRedis({
      appendonly: 'everysec',
      maxmemory: '256mb',
    })) as RedisServer
    const shared = {
      ...s3Environment(s3),
      STANDPIPE_SSE_KEY: Buffer.alloc(32, 7).toString('base64'),
      STANDPIPE_DRAIN_TIMEOUT_MS: '2000',
    }
    const onRedis = {
      ...shared,
      STANDPIPE_BACKEND: `${redis.url}?prefix=moved`,
      STANDPIPE_REDIS_FSYNC: 'everysec',
    }
    await using service = await Service.start({ environment: shared })
    await using other = await Service.create({ environment: onRedis })
    await using third = await Service.create({ environment: shared })
    const there = environmentOf(service, shared)
    const file = join(service.dataDir, 'moved.export')
    const ledgers = new Map(STREAMS.map((name) => [name, new Ledger()]))

    // Deliveries that take effect, and nobody knows; then none at all.
    const client = service.client()
    for (const name of STREAMS) await smallStream(client, name, {})
    await client.expect('StartDeliveryStreamEncryption', { DeliveryStreamName: 'secret' })
    await send(client, ledgers, 500)
    const deliveredCount = (await readBooks(client, 'plain')).delivered
    s3.misbehave({ 'error-after': 1 })
    await client.send('POST', '/streams/held/pause')
    await send(client, ledgers, 1_500)
    s3.misbehave(OUTAGE)
    // What was begun is finished under its old name.
    for (const name of STREAMS) await rename(client, name, 'renamed/')
    await send(client, ledgers, 1_500)
    await expect(command(['data', 'export', file], there)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^Cannot use data directory \S+: another Standpipe process .*\n$/,
      ),
    })
    await service.terminate()
    client.close()

    await command(['data', 'export', file], there)
    await command(['data', 'import', file], environmentOf(other, onRedis))
    await other.start()
    const otherClient = other.client()
    const books = await readBooks(otherClient, 'plain')
    expect({ balanced: balanced(books), isPending: books.pending > 0 }).toEqual({
      balanced: true,
      isPending: true,
    })
    expect(books.delivered).toBeGreaterThanOrEqual(deliveredCount)
    await expect(
      command(['data', 'import', file], environmentOf(other, onRedis)),
    ).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Cannot move data while a service uses the Redis: .*\n$/),
    })

    s3.misbehave(FAULT_FREE)
    await send(otherClient, ledgers, 500)
    for (const name of ['plain', 'secret']) {
      const verdict = await judge(otherClient, name, ledgerOf(ledgers, name), () =>
        objectsOf(s3, name),
      )
      expect(verdict, `${name}, seed ${seed}`).toMatchObject({ findings: [], bookProblems: [] })
    }
    // The stream that was paused still is.
    const held = await readBooks(otherClient, 'held')
    expect({ balanced: balanced(held), isPending: held.pending > 0 }).toEqual({
      balanced: true,
      isPending: true,
    })
    await other.terminate()
    otherClient.close()

    // Nothing comes of importing the same file again.
    await command(['data', 'import', file], environmentOf(other, onRedis))
    await command(['data', 'export', `${file}.back`], environmentOf(other, onRedis))
    await command(['data', 'import', `${file}.back`], environmentOf(third, shared))
    await third.start()
    const thirdClient = third.client()
    await thirdClient.send('POST', '/streams/held/resume')
    for (const name of STREAMS) {
      const verdict = await judge(thirdClient, name, ledgerOf(ledgers, name), () =>
        objectsOf(s3, name),
      )
      expect(verdict, `${name}, seed ${seed}`).toMatchObject({ findings: [], bookProblems: [] })
    }
    thirdClient.close()
  },
)

/** What a command needs to find what the service has. */
function environmentOf({ dataDir }: Service, environment: Record<string, string>) {
  return { PATH: process.env['PATH'] ?? '', STANDPIPE_DATA_DIR: dataDir, ...environment }
}

async function rename(client: HttpClient, name: string, Prefix: string): Promise<void> {
  const { VersionId } = await describe(client, name)
  await client.expect('UpdateDestination', {
    DeliveryStreamName: name,
    CurrentDeliveryStreamVersionId: VersionId,
    DestinationId: 'destinationId-000000000001',
    ExtendedS3DestinationUpdate: { Prefix },
  })
}

/** Puts records with ids of their own into all streams for a while. */
async function send(client: HttpClient, ledgers: Ledgers, durationMs: number): Promise<void> {
  const endMs = performance.now() + durationMs
  while (performance.now() < endMs) {
    for (const [name, ledger] of ledgers) {
      const ids = Array.from({ length: 20 }, () => `${name}-${(lastId += 1)}`)
      const Records = ids.map((id) => ({ Data: lineOf(id, 100).toString('base64') }))
      const input = { DeliveryStreamName: name, Records }
      const { status, body } = await client.call('PutRecordBatch', input)
      ledger.enter(ids, status, body)
    }
    await sleep(20)
  }
}

function ledgerOf(ledgers: Ledgers, name: string): Ledger {
  const ledger = ledgers.get(name)
  if (ledger === undefined) throw new Error(`Cannot judge ${name}: it has no ledger`)
  return ledger
}

function objectsOf(s3: FaultyS3, name: string) {
  return s3Objects(s3.bucket(bucketOf(name)))
}
