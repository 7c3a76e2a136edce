/** One Standpipe delivers into another by Firehose's HTTP endpoint protocol, and both are killed. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { settledBooks } from './books.ts'
import { bookProblems } from './crash-run.ts'
import { Service } from './harness.ts'
import { Ledger } from './ledger.ts'
import { decompressed, folderObjects } from './objects.ts'
import { bucketOf, smallStream } from './streams.ts'
import { idsIn, Traffic } from './traffic.ts'

/** More on a machine that has the time for it, as in crash.test.ts. */
const KILL_COUNT = Number(process.env['STANDPIPE_TEST_KILLS'] ?? (process.env['CI'] ? 32 : 8))
const ACCESS_KEY = 'RELAY:relay-secret'
const IMPATIENT = {
  STANDPIPE_RETRY_BACKOFF_FIRST_MS: '20',
  STANDPIPE_RETRY_BACKOFF_MAX_MS: '200',
}

async function relayTo(sender: Service, url: string): Promise<void> {
  const client = sender.client()
  await client.expect('CreateDeliveryStream', {
    DeliveryStreamName: 'relay',
    HttpEndpointDestinationConfiguration: {
      EndpointConfiguration: { Url: url, AccessKey: ACCESS_KEY },
      RequestConfiguration: { ContentEncoding: 'GZIP' },
      BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 1 },
      RetryOptions: { DurationInSeconds: 7_200 },
      S3Configuration: {
        RoleARN: 'arn:aws:iam::000000000000:role/firehose',
        BucketARN: 'arn:aws:s3:::failed',
      },
    },
  })
  client.close()
}

test('kill -9 of sender and receiver: each record arrives once, and both books balance', async () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  await using sender = await Service.start({ environment: IMPATIENT })
  // Without access keys before and after, so that the test itself need not sign.
  await using unguarded = await Service.start()
  const { dataDir } = unguarded
  await smallStream(unguarded.client(), 'arrivals', { CompressionFormat: 'GZIP' })
  await unguarded.kill()
  const environment = { STANDPIPE_ACCESS_KEYS: ACCESS_KEY }
  await using receiver = await Service.start({ dataDir, environment })
  await relayTo(sender, `${receiver.url}/streams/arrivals/firehose`)

  const ledger = new Ledger()
  const stop = new AbortController()
  const traffic = new Traffic({
    urls: [sender.url],
    streamNames: ['relay'],
    connectionCount: 3,
    random,
    ledgers: new Map([['relay', ledger]]),
  })
  const sending = traffic.run(stop.signal)
  for (let kill = 0; kill < KILL_COUNT; kill += 1) {
    await sleep(random.integer(20, 1_500))
    const victim = random.next() < 0.5 ? sender : receiver
    await victim.kill()
    await victim.start()
  }
  await sleep(500)
  stop.abort()
  await sending

  const senderClient = sender.client()
  const sent = await settledBooks(senderClient, 'relay')
  senderClient.close()
  await receiver.kill()
  await unguarded.start()
  const client = unguarded.client()
  const arrived = await settledBooks(client, 'arrivals')
  client.close()

  const objects = await folderObjects(join(dataDir, 'buckets', bucketOf('arrivals')))
  const delivered = objects.flatMap((object) => idsIn(decompressed(object)))
  expect(ledger.findings(delivered), `seed ${seed}`).toEqual([])
  expect(bookProblems(sent, delivered.length, ledger.acknowledged.size), `seed ${seed}`).toEqual([])
  expect(bookProblems(arrived, delivered.length, sent.delivered), `seed ${seed}`).toEqual([])
  expect(ledger.acknowledged.size).toBeGreaterThan(0)
  expect(sender.log + receiver.log).not.toContain('relay-secret')
})

test('a repeated request is answered alike, also by the process that comes after kill -9', async () => {
  await using service = await Service.start()
  await smallStream(service.client(), 'repeated', {})
  const requestId = 'ed4acda5-034f-9f42-bba1-f29aea6d7d8f'
  const lines = Array.from({ length: 3_000 }, (_, index) => `${index} ${'x'.repeat(1_000)}\n`)
  const records = lines.map((line) => ({ data: Buffer.from(line).toString('base64') }))
  const body = gzipSync(JSON.stringify({ requestId, timestamp: Date.now(), records }))
  const post = async (): Promise<unknown> => {
    const answer = await fetch(`${service.url}/streams/repeated/firehose`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body,
    })
    return {
      status: answer.status,
      type: answer.headers.get('content-type'),
      body: await answer.json(),
    }
  }
  const taken = {
    status: 200,
    type: 'application/json',
    body: { requestId, timestamp: expect.any(Number) },
  }
  const broken = post().catch(() => 'broken off')
  await sleep(20)
  await service.kill()
  await broken
  await service.start()
  expect(await post()).toEqual(taken)
  expect(await post()).toEqual(taken)
  await service.kill()
  await service.start()
  expect(await post()).toEqual(taken)

  const client = service.client()
  expect(await settledBooks(client, 'repeated')).toMatchObject({
    accepted: 3_000,
    delivered: 3_000,
  })
  client.close()
  const objects = await folderObjects(join(service.dataDir, 'buckets', bucketOf('repeated')))
  const delivered = objects.map(({ bytes }) => bytes.toString()).join('')
  expect(delivered.split('\n').toSorted()).toEqual(lines.join('').split('\n').toSorted())
})
