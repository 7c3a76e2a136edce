import { ListOffsetTimestamps } from '@platformatic/kafka'
import type { FetchOptions, ListOffsetsOptions, RecordsBatch } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { streamOfTopic } from '../../../test/fakes/kafka-run.ts'
import { FakeSourceHost } from '../../../test/fakes/source-host.ts'
import { systemClock } from '../../base/clock.ts'
import type { Clock } from '../../base/clock.ts'
import type { KafkaClient } from './clients.ts'
import { TopicReader } from './topic-reader.ts'

/** Its seconds pass in 50 ms. */
const QUICK = 20
const clock: Clock = {
  ...systemClock,
  monotonicMs: () => systemClock.monotonicMs() * QUICK,
  sleep: async (durationMs, signal) => await systemClock.sleep(durationMs / QUICK, signal),
}
const TOPIC_ID = '6f3c1a52-0d1e-4a51-9a5e-2b8f0c1d7e90'

/** A cluster whose partitions have so many records each; any broker serves them, as an old leader may. */
class FakeCluster {
  leader = 1
  /** The brokers that were asked for records, in turn. */
  readonly fetchedFrom: number[] = []
  /** A partition whose records the client can't take apart. */
  corrupt: number | undefined
  readonly #end: bigint
  readonly #partitionCount: number
  readonly #changes = new Set<() => void>()

  constructor(recordCount: number, partitionCount = 1) {
    this.#partitionCount = partitionCount
    this.#end = BigInt(recordCount)
  }

  get client(): KafkaClient {
    const fake = {
      topics: { track: () => true },
      clearMetadata: () => {},
      metadata: async () => await Promise.resolve(this.#metadata()),
      listOffsets: async ({ timestamp }: ListOffsetsOptions) => {
        const first = timestamp === ListOffsetTimestamps.EARLIEST
        const offsets = Array.from({ length: this.#partitionCount }, () => (first ? 0n : this.#end))
        return await Promise.resolve(new Map([['clicks', offsets]]))
      },
      fetch: async (options: Fetch) => await this.#fetch(options),
    }
    return fake as unknown as KafkaClient
  }

  /** Resolves once the leader was asked for that often since. */
  async looked(count: number): Promise<void> {
    for (let look = 0; look < count; look += 1) {
      await new Promise<void>((resolve) => this.#changes.add(resolve))
    }
  }

  #metadata(): unknown {
    for (const tell of this.#changes) tell()
    this.#changes.clear()
    const partitions = Array.from({ length: this.#partitionCount }, () => ({ leader: this.leader }))
    return { topics: new Map([['clicks', { id: TOPIC_ID, partitions }]]) }
  }

  async #fetch({ node, topics }: Fetch): Promise<unknown> {
    this.fetchedFrom.push(node)
    const wanted = topics[0]?.partitions ?? []
    if (wanted.some(({ partition }) => partition === this.corrupt)) {
      throw new Error('incorrect header check')
    }
    const partitions = wanted.map(({ partition, fetchOffset }) => ({
      partitionIndex: partition,
      highWatermark: this.#end,
      records: fetchOffset < this.#end ? [oneRecord(fetchOffset)] : null,
    }))
    const nothing = partitions.every(({ records }) => records === null)
    if (nothing) await new Promise((resolve) => setTimeout(resolve, 20))
    return { responses: [{ partitions }] }
  }
}

type Fetch = FetchOptions<Buffer, Buffer, Buffer, Buffer>

function oneRecord(firstOffset: bigint): RecordsBatch {
  const record = { offsetDelta: 0, value: Buffer.from(`${firstOffset}`) }
  return { firstOffset, lastOffsetDelta: 0, attributes: 0, records: [record] } as RecordsBatch
}

test('a partition whose leader changes while the stream has no room is read by one loop', async () => {
  const cluster = new FakeCluster(3)
  const host = new FakeSourceHost(streamOfTopic('clicks', 0))
  const room = Promise.withResolvers<void>()
  host.admission = room.promise
  // So that what two loops fetched at once would be taken over at once.
  host.beforeAppend = async () => await new Promise((resolve) => setTimeout(resolve, 20))
  const options = { client: cluster.client, topic: 'clicks', sinceMs: 0, host, clock }
  const reader = new TopicReader(options)
  const stop = new AbortController()
  reader.assign([0])
  const running = reader.run(stop.signal)
  // By the second look the loop of the first leader has begun.
  await cluster.looked(1)
  reader.assign([0])
  await cluster.looked(1)
  cluster.leader = 2
  reader.assign([0])
  await cluster.looked(2)
  room.resolve()
  await host.until(() => host.progressOf.get('0')?.lagCount === 0)
  stop.abort()
  await running
  await reader.settled()
  expect(host.records.map(({ data }) => data.toString())).toEqual(['0', '1', '2'])
  expect(new Set(cluster.fetchedFrom)).toEqual(new Set([2]))
})

test('a partition whose records can’t be taken apart concerns no other', async () => {
  const cluster = new FakeCluster(3, 2)
  cluster.corrupt = 1
  const host = new FakeSourceHost(streamOfTopic('clicks', 0))
  const options = { client: cluster.client, topic: 'clicks', sinceMs: 0, host, clock }
  const reader = new TopicReader(options)
  const stop = new AbortController()
  reader.assign([0, 1])
  const running = reader.run(stop.signal)
  await host.until(() => host.records.length === 3 && host.failures.length > 1)
  expect(host.records.map(({ partition }) => partition)).toEqual(['0', '0', '0'])
  expect(new Set(host.failures.map(({ partition }) => partition))).toEqual(new Set(['1']))
  cluster.corrupt = undefined
  await host.until(() => host.records.length === 6)
  stop.abort()
  await running
  await reader.settled()
})
