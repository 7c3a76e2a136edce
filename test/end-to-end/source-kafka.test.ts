import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { CLUSTER_ARN } from '../fakes/kafka-run.ts'
import { KafkaTopic } from '../fakes/kafka-topic.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { installKafka, startKafka } from '../servers/kafka.ts'
import { balanced, readBooks, settledBooks } from './books.ts'
import { Service, eventually } from './harness.ts'
import type { HttpClient } from './http-client.ts'
import { decompressed, folderObjects } from './objects.ts'
import { describe } from './streams.ts'

/** A million: `STANDPIPE_TEST_SOURCE_RECORDS=1000000 npx vitest run source-kafka`. */
const RECORD_COUNT = Number(process.env['STANDPIPE_TEST_SOURCE_RECORDS'] ?? 30_000)
const ROUNDS = 8
const SEND_COUNT = Math.max(500, RECORD_COUNT / 400)
const PARTITIONS = 3
/** Tens of thousands a second go through; this is for a machine that is busy with other things. */
const READ_MS_MAX = 60_000 + RECORD_COUNT
const ROLE = 'arn:aws:iam::000000000000:role/firehose'

const installed = await installKafka()
if (!installed) console.warn('Skipped: no Kafka, see test/servers/kafka.ts')
const ours = installed && process.env['TEST_KAFKA_BROKERS'] === undefined

/** A service that knows where the cluster is. */
async function serviceFor(brokers: string): Promise<Service> {
  const service = await Service.create()
  const settings = join(service.dataDir, 'standpipe.json')
  await writeFile(settings, JSON.stringify({ connections: [{ url: CLUSTER_ARN, brokers }] }))
  const { dataDir } = service
  const known = await Service.create({ dataDir, environment: { STANDPIPE_CONFIG: settings } })
  await known.start()
  return known
}

async function deliverTopic(client: HttpClient, name: string, TopicName: string): Promise<void> {
  await client.expect('CreateDeliveryStream', {
    DeliveryStreamName: name,
    DeliveryStreamType: 'MSKAsSource',
    MSKSourceConfiguration: {
      MSKClusterARN: CLUSTER_ARN,
      TopicName,
      AuthenticationConfiguration: { RoleARN: ROLE, Connectivity: 'PRIVATE' },
      ReadFromTimestamp: 0,
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

async function delivered(service: Service, name: string): Promise<string[]> {
  const objects = await folderObjects(join(service.dataDir, 'buckets', `bucket-${name}`))
  return objects
    .flatMap((object) => decompressed(object).toString().split('\n'))
    .filter((line) => line !== '')
}

/** Against what the topic holds: what of it is missing, and what is there more than once. */
function faults(expected: readonly string[], lines: readonly string[]): object {
  const left = new Map<string, number>()
  for (const line of expected) left.set(line, (left.get(line) ?? 0) + 1)
  const foreign: string[] = []
  for (const line of lines) {
    const count = left.get(line) ?? 0
    if (count === 0) foreign.push(line)
    else left.set(line, count - 1)
  }
  const lost = [...left].flatMap(([line, count]) => (count > 0 ? [line] : []))
  return { lost: lost.slice(0, 20), doubled: foreign.slice(0, 20) }
}

test.skipIf(!ours)(
  'kill -9 of the service and of the broker: nothing lost, nothing doubled, books balanced',
  { timeout: 300_000 + 2 * RECORD_COUNT },
  async () => {
    const seed = testSeed()
    const random = new SeededRandom(seed)
    await using kafka = await startKafka()
    await using topic = await KafkaTopic.make(kafka.brokers, { partitions: PARTITIONS })
    await using service = await serviceFor(kafka.brokers)
    const client = service.client()
    await deliverTopic(client, 'clicks', topic.name)

    let sentCount = 0
    const send = async (until: number): Promise<void> => {
      while (sentCount < until) {
        const values = Array.from(
          { length: Math.min(SEND_COUNT, until - sentCount) },
          (_, index) => `record ${sentCount + index}\n`,
        )
        // While the broker is away it is tried again: some may be in the topic twice.
        await eventually('the broker takes records', READ_MS_MAX, () =>
          topic.produce(random.integer(0, PARTITIONS - 1), values).then(
            () => true,
            () => undefined,
          ),
        )
        sentCount += values.length
      }
    }
    for (let round = 1; round <= ROUNDS; round += 1) {
      const sending = send(Math.round((RECORD_COUNT * round) / ROUNDS))
      await sleep(random.integer(0, 1_000))
      if (round % 4 === 0) {
        await kafka.kill()
        await kafka.restart()
      } else if (round % 2 === 0) {
        await service.kill()
        await service.start()
      } else {
        await service.kill()
        service.spawn()
      }
      await sending
    }
    await service.ready()
    const expected = (await topic.contents()).map((value) => value.trimEnd())
    expect(new Set(expected).size).toBe(RECORD_COUNT)
    await eventually('all is read', READ_MS_MAX, async () => {
      const { accepted } = await readBooks(client, 'clicks')
      return accepted >= expected.length ? true : undefined
    })
    const books = await settledBooks(client, 'clicks')
    const lines = await delivered(service, 'clicks')
    expect(faults(expected, lines), `seed ${seed}`).toEqual({ lost: [], doubled: [] })
    expect(balanced(books), JSON.stringify(books)).toBe(true)
    const count = expected.length
    expect(books).toMatchObject({ accepted: count, delivered: count, pending: 0 })
    client.close()
  },
)

test.skipIf(!installed)('a topic that is made later is read, and until then missed', async () => {
  await using kafka = await startKafka()
  await using service = await serviceFor(kafka.brokers)
  const client = service.client()
  const name = `late-${Date.now()}`
  await deliverTopic(client, 'early', name)
  const failure = await eventually('the failure is shown', 20_000, async () => {
    const { Source } = (await client.get('/streams/early')).body
    return (Source as JsonObject | undefined)?.['LastFailure']
  })
  expect(JSON.stringify(failure)).toContain('Kafka.TopicNotFound')
  await using topic = await KafkaTopic.make(kafka.brokers, { name })
  await topic.produce(0, ['a\n', 'b\n'])
  await eventually('all is read', 60_000, async () => {
    const { delivered: count } = await readBooks(client, 'early')
    return count >= 2 ? true : undefined
  })
  expect(await delivered(service, 'early')).toEqual(['a', 'b'])
  client.close()
})
