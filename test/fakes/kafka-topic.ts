/** A topic of a real Kafka, and a producer for it. */
import { randomUUID } from 'node:crypto'
import { Admin, Consumer, kGetApi, ProduceAcks, Producer } from '@platformatic/kafka'
import type {
  API,
  Callback,
  CompressionAlgorithmValue,
  MessageToProduce,
} from '@platformatic/kafka'
import { withoutLeaders } from '../../src/sources/kafka/topic-client.ts'

export interface TopicOptions {
  readonly partitions?: number
  /** How many brokers have each partition. */
  readonly replicas?: number
  /** The topic's own settings, as `name=value`. */
  readonly settings?: readonly string[]
  readonly name?: string
}

export class KafkaTopic implements AsyncDisposable {
  readonly name: string
  readonly brokers: string
  readonly #admin: Admin
  readonly #producer: Producer
  #transactional: Producer | undefined

  private constructor(name: string, brokers: string, admin: Admin, producer: Producer) {
    this.name = name
    this.brokers = brokers
    this.#admin = admin
    this.#producer = producer
  }

  static async make(brokers: string, options: TopicOptions = {}): Promise<KafkaTopic> {
    const { partitions = 1, name = `topic-${randomUUID()}` } = options
    const topic = KafkaTopic.open(brokers, name)
    await topic.create(partitions, options)
    return topic
  }

  /** One that is there. */
  static open(brokers: string, name: string): KafkaTopic {
    const options = { clientId: 'test', bootstrapBrokers: brokers.split(',') }
    const admin = new Admin({ ...options, retries: 20, retryDelay: 250 })
    const producer = new TopicProducer(options)
    return new KafkaTopic(name, brokers, admin, producer)
  }

  async create(
    partitions: number,
    { settings = [], replicas = 1 }: Pick<TopicOptions, 'settings' | 'replicas'> = {},
  ): Promise<void> {
    const configs = settings.map((setting) => {
      const [configName = '', value = ''] = setting.split('=')
      return { name: configName, value }
    })
    await this.#admin.createTopics({ topics: [this.name], partitions, replicas, configs })
  }

  async delete(): Promise<void> {
    await this.#admin.deleteTopics({ topics: [this.name] })
  }

  /** To that many in all. */
  async addPartitions(count: number): Promise<void> {
    await this.#admin.createPartitions({ topics: [{ name: this.name, count }] })
  }

  /** Of each partition; -1 where there is none. */
  async leaders(): Promise<readonly number[]> {
    const { topics } = await this.#producer.metadata({ topics: [this.name], forceUpdate: true })
    return (topics.get(this.name)?.partitions ?? []).map(({ leader }) => leader)
  }

  /** As if retention had passed: what is before the offset goes. */
  async deleteBefore(partition: number, offset: bigint): Promise<void> {
    await this.#admin.deleteRecords({
      topics: [{ name: this.name, partitions: [{ partition, offset }] }],
    })
  }

  /** What the group has committed, by partition. */
  async committed(groupId: string): Promise<ReadonlyMap<number, bigint>> {
    const groups = await this.#admin.listConsumerGroupOffsets({ groups: [groupId] })
    const topic = groups[0]?.topics.find(({ name }) => name === this.name)
    return new Map(
      (topic?.partitions ?? []).map(({ partitionIndex, committedOffset }) => [
        partitionIndex,
        committedOffset,
      ]),
    )
  }

  /** All that was ever produced and is kept, as the client library alone reads it. */
  async contents(): Promise<readonly string[]> {
    const options = { clientId: 'test', bootstrapBrokers: this.brokers.split(',') }
    const consumer = new Consumer({ ...options, groupId: randomUUID() })
    const ends = (await consumer.listOffsets({ topics: [this.name] })).get(this.name) ?? []
    const left = new Set(ends.flatMap((end, partition) => (end > 0n ? [partition] : [])))
    const values: string[] = []
    const messages = await consumer.consume({
      topics: [this.name],
      mode: 'earliest',
      autocommit: false,
    })
    for await (const { value, partition, offset } of messages) {
      values.push(value.toString())
      if (offset + 1n === ends[partition]) left.delete(partition)
      if (left.size === 0) break
    }
    await consumer.close(true)
    return values
  }

  async produce(
    partition: number,
    values: readonly (string | Buffer | undefined)[],
    more: Partial<MessageToProduce> & { readonly compression?: CompressionAlgorithmValue } = {},
  ): Promise<void> {
    const { compression = 'none', ...message } = more
    await this.#producer.send({
      acks: ProduceAcks.ALL,
      compression,
      messages: values.map((value) => ({
        ...message,
        topic: this.name,
        partition,
        ...(value !== undefined && { value: Buffer.from(value) }),
      })),
    })
  }

  /** In one transaction, which is committed or aborted at its end; `during` runs before. */
  async transact(
    end: 'commit' | 'abort',
    values: readonly string[],
    during: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    this.#transactional ??= new Producer({
      clientId: 'test',
      bootstrapBrokers: this.brokers.split(','),
      idempotent: true,
      transactionalId: `transactions-${this.name}`,
      // What comes while the transaction before is still being ended is refused.
      retries: 50,
      retryDelay: 100,
    })
    const transaction = await this.#transactional.beginTransaction()
    await transaction.send({
      messages: values.map((value) => ({
        topic: this.name,
        partition: 0,
        value: Buffer.from(value),
      })),
    })
    await during()
    await transaction[end]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#admin.close(), this.#producer.close(), this.#transactional?.close()])
  }
}

/** It goes on where there are leaders, as the source does. */
class TopicProducer extends Producer {
  override [kGetApi]<Arguments extends unknown[], Response>(
    name: string,
    callback: Callback<API<Arguments, Response>>,
  ): void {
    super[kGetApi]<Arguments, Response>(name, (error, api) => {
      callback(error, name === 'Metadata' && api !== undefined ? withoutLeaders(api) : api)
    })
  }
}
