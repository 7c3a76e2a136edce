/** Real servers that streams read, for tests that have all of them at once: a producer for each. */
import { Redis } from 'ioredis'
import type { JsonObject } from '../../src/base/json.ts'
import { available } from '../clients/available.ts'
import { CLUSTER_ARN } from '../fakes/kafka-run.ts'
import { KafkaTopic } from '../fakes/kafka-topic.ts'
import type { SeededRandom } from '../fakes/seeded-random.ts'
import { installKafka, startKafka } from '../servers/kafka.ts'
import type { KafkaServer } from '../servers/kafka.ts'
import { kinesisArn, KinesisStream, startKinesis } from '../servers/kinesis.ts'
import type { KinesisServer } from '../servers/kinesis.ts'
import { startRedis } from '../servers/redis.ts'
import type { RedisServer } from '../servers/redis.ts'

const ROLE = 'arn:aws:iam::000000000000:role/firehose'
/** More than there are workers, and no multiple of them. */
const PARTITION_COUNT = 4

export interface Feed extends AsyncDisposable {
  /** Of the delivery stream that reads it. */
  readonly name: string
  /** Members of CreateDeliveryStream. */
  readonly input: JsonObject
  /** Of the setting `connections`. */
  readonly connections: readonly JsonObject[]
  /** All are there when it resolves, each once. */
  send(records: readonly Buffer[]): Promise<void>
  /** Its partitions become others. */
  rearrange(random: SeededRandom): Promise<void>
}

/** Those whose servers this machine has. */
export async function startFeeds(resources: AsyncDisposableStack): Promise<readonly Feed[]> {
  const feeds: Feed[] = []
  const redis = await startRedis({ appendonly: 'everysec' })
  if (redis !== undefined) feeds.push(resources.use(new RedisFeed(redis)))
  const kinesis = await startKinesis()
  if (available('npm, for Kinesalite', kinesis !== undefined) && kinesis !== undefined) {
    feeds.push(resources.use(await KinesisFeed.start(kinesis)))
  }
  // Tests elsewhere may share one from outside; this one is disturbed by nobody.
  if (available('JDK and Maven, for Kafka', await installKafka())) {
    feeds.push(resources.use(await KafkaFeed.start(await startKafka())))
  }
  return feeds
}

/** What makes the service know where they are. */
export function feedEnvironment(feeds: readonly Feed[]): Record<string, string> {
  const connections = feeds.flatMap((feed) => feed.connections)
  return { STANDPIPE_CONNECTIONS: JSON.stringify(connections) }
}

class RedisFeed implements Feed {
  readonly name = 'redis'
  readonly connections = []
  readonly input: JsonObject
  readonly #server: RedisServer
  readonly #client: Redis
  readonly #keys = Array.from({ length: PARTITION_COUNT }, (_, index) => `orders:${index}`)
  #sentCount = 0

  constructor(server: RedisServer) {
    this.#server = server
    this.#client = new Redis(server.url)
    this.input = {
      DeliveryStreamType: 'RedisStreamAsSource',
      RedisStreamSourceConfiguration: {
        RedisUrl: server.url,
        StreamKeys: this.#keys,
        StartingPosition: 'TRIM_HORIZON',
      },
    }
  }

  async send(records: readonly Buffer[]): Promise<void> {
    const adding = this.#client.pipeline()
    for (const record of records) {
      this.#sentCount += 1
      adding.xadd(this.#keys[this.#sentCount % PARTITION_COUNT]!, '*', 'data', record)
    }
    for (const [error] of (await adding.exec()) ?? []) if (error !== null) throw error
  }

  /** Keys are given, once and for all. */
  async rearrange(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.disconnect()
    await this.#server[Symbol.asyncDispose]()
  }
}

class KinesisFeed implements Feed {
  readonly name = 'kinesis'
  readonly input: JsonObject = {
    DeliveryStreamType: 'KinesisStreamAsSource',
    KinesisStreamSourceConfiguration: {
      KinesisStreamARN: kinesisArn('clicks'),
      RoleARN: ROLE,
      StartingPosition: 'TRIM_HORIZON',
    },
  }
  readonly connections: readonly JsonObject[]
  readonly #server: KinesisServer
  readonly #stream: KinesisStream

  private constructor(server: KinesisServer, stream: KinesisStream) {
    const { endpoint } = server
    const keys = { accessKeyId: 'test', secretAccessKey: 'test' }
    this.#server = server
    this.#stream = stream
    this.connections = [{ url: kinesisArn('clicks'), endpoint, ...keys }]
  }

  static async start(server: KinesisServer): Promise<KinesisFeed> {
    return new KinesisFeed(
      server,
      await KinesisStream.create(server.client, 'clicks', PARTITION_COUNT),
    )
  }

  async send(records: readonly Buffer[]): Promise<void> {
    await this.#stream.put(records.map(String))
  }

  async rearrange(random: SeededRandom): Promise<void> {
    await this.#stream.reshard(random, PARTITION_COUNT)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]()
  }
}

class KafkaFeed implements Feed {
  readonly name = 'kafka'
  readonly input: JsonObject
  readonly connections: readonly JsonObject[]
  readonly #server: KafkaServer
  readonly #topic: KafkaTopic
  #sentCount = 0

  private constructor(server: KafkaServer, topic: KafkaTopic) {
    this.#server = server
    this.#topic = topic
    this.connections = [{ url: CLUSTER_ARN, brokers: server.brokers }]
    this.input = {
      DeliveryStreamType: 'MSKAsSource',
      MSKSourceConfiguration: {
        MSKClusterARN: CLUSTER_ARN,
        TopicName: topic.name,
        AuthenticationConfiguration: { RoleARN: ROLE, Connectivity: 'PRIVATE' },
        ReadFromTimestamp: 0,
      },
    }
  }

  static async start(server: KafkaServer): Promise<KafkaFeed> {
    const topic = await KafkaTopic.make(server.brokers, { partitions: PARTITION_COUNT })
    return new KafkaFeed(server, topic)
  }

  async send(records: readonly Buffer[]): Promise<void> {
    this.#sentCount += 1
    await this.#topic.produce(this.#sentCount % PARTITION_COUNT, records)
  }

  /** Its partitions stay; the group's members come and go with the nodes. */
  async rearrange(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#topic[Symbol.asyncDispose]()
    await this.#server[Symbol.asyncDispose]()
  }
}
