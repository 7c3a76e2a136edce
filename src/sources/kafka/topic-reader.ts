/**
 * Reads the partitions of a topic that are this process's now. For each broker that leads some of them
 * runs one loop: wait until the stream may have more, fetch, take over, and again. Nothing is fetched
 * while something fetched before waits, so a destination that is slow holds back the loops, and what
 * they hold in memory is bounded.
 *
 * About once a second the cluster is looked at: who leads what, and what is to be opened. A loop whose
 * partitions have gone ends, and is begun again by the next look.
 */
import { ProtocolError } from '@platformatic/kafka'
import type { Clock } from '../../base/clock.ts'
import type { SourceHost } from '../../source.ts'
import type { KafkaClient } from './clients.ts'
import { answered, fetchError, isClientError, isNetworkFailure, sourceError } from './failure.ts'
import { logEnds } from './offsets.ts'
import { NO_LEADER } from './topic-client.ts'
import type { TopicState } from './topic-partition.ts'
import { TopicPartition } from './topic-partition.ts'

const MIB = 1024 * 1024
/**
 * Of all fetches under way, as they lie in the log: unpacked it may be ten times as much and more. One batch
 * that is larger comes all the same.
 */
const FETCHED_BYTES_MAX = 8 * MIB
const PARTITION_BYTES_MAX = 4 * MIB
/** How long a broker waits for records before it answers with none. */
const FETCH_MS_MAX = 500
const LOOK_MS = 1_000
const LAG_MS = 5_000
const RETRY_MS = 1_000

export interface TopicReaderOptions {
  readonly client: KafkaClient
  readonly topic: string
  /** From when on a partition is read that never was. */
  readonly sinceMs: number
  readonly host: SourceHost
  readonly clock: Clock
}

export class TopicReader {
  readonly #client: KafkaClient
  readonly #host: SourceHost
  readonly #clock: Clock
  readonly #options: TopicReaderOptions
  readonly #partitions = new Map<number, TopicPartition>()
  readonly #loops = new Map<number, Promise<void>>()
  readonly #failure = Promise.withResolvers<never>()
  #topic: TopicState
  #lagDueMs = 0
  #wake = new AbortController()

  constructor(options: TopicReaderOptions) {
    this.#options = options
    this.#client = options.client
    this.#host = options.host
    this.#clock = options.clock
    this.#topic = { name: options.topic, id: '' }
    this.#client.topics.track(options.topic)
    // Whoever runs it is told; before that, and after, nobody need know.
    this.#failure.promise.catch(() => {})
  }

  /** From now on these are read, and no others. */
  assign(numbers: readonly number[]): void {
    for (const [number, partition] of this.#partitions) {
      if (numbers.includes(number)) continue
      partition.release()
      this.#partitions.delete(number)
    }
    const { sinceMs } = this.#options
    for (const number of numbers) {
      if (this.#partitions.has(number)) continue
      const partition = new TopicPartition(number, this.#host, this.#client, sinceMs)
      this.#partitions.set(number, partition)
    }
    this.#wake.abort()
  }

  /** The next offset of each partition, as far as it is known: what is before it was taken over. */
  offsets(): ReadonlyMap<number, bigint> {
    return new Map(
      [...this.#partitions.values()].flatMap(({ number, next }) =>
        next === undefined ? [] : [[number, next] as const],
      ),
    )
  }

  /**
   * Until the signal aborts.
   * @throws SourceError when the topic is gone; whatever the host throws
   */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        this.#wake = new AbortController()
        await Promise.race([this.#look(signal), this.#failure.promise])
        const woken = AbortSignal.any([signal, this.#wake.signal])
        await Promise.race([this.#clock.sleep(LOOK_MS, woken), this.#failure.promise])
      }
    } finally {
      for (const partition of this.#partitions.values()) partition.release()
    }
  }

  /** Resolves when nothing is under way any more; asked once `run` has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#loops.values())
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { name } = this.#topic
    try {
      const { topics } = await this.#client.metadata({ topics: [name] })
      const topic = topics.get(name)
      if (topic === undefined) return
      this.#topic = { name, id: topic.id }
      for (const partition of this.#partitions.values()) {
        partition.checkTopic(this.#topic)
        const leader = topic.partitions[partition.number]?.leader ?? -1
        partition.leader = leader < 0 ? undefined : leader
        if (partition.leader === undefined) this.#failed(partition, new ProtocolError(NO_LEADER))
      }
    } catch (error) {
      if (!isClientError(error) || signal.aborted) throw error
      const failure = sourceError(`find topic ${name}`, error)
      if (failure.errorCode === 'Kafka.TopicNotFound') throw failure
      // Shown of each, so that each that can be read again shows that too.
      const retryAtMs = this.#clock.monotonicMs()
      for (const partition of this.#partitions.values()) partition.failed(failure, retryAtMs)
      return
    }
    await this.#openPartitions()
    this.#startLoops(signal)
    await this.#measureLag()
  }

  async #openPartitions(): Promise<void> {
    const closed = [...this.#partitions.values()].filter(
      ({ next, leader }) => next === undefined && leader !== undefined,
    )
    if (closed.length === 0) return
    const opened = await this.#host.open(closed.map(({ name }) => name))
    await Promise.all(
      opened.map(async (taken, index) => {
        const partition = closed[index]
        if (partition === undefined) return
        await this.#attempt(partition, () => partition.open(taken, this.#topic))
      }),
    )
  }

  /** A fetch tells it too, but nothing is fetched while the stream has no room. */
  async #measureLag(): Promise<void> {
    const now = this.#clock.monotonicMs()
    if (now < this.#lagDueMs) return
    this.#lagDueMs = now + LAG_MS
    const read = [...this.#partitions.values()].filter(
      ({ next, leader }) => next !== undefined && leader !== undefined,
    )
    if (read.length === 0) return
    try {
      const numbers = read.map(({ number }) => number)
      const ends = await logEnds(this.#client, this.#topic.name, numbers)
      for (const partition of read) partition.endsAt(ends.get(partition.number))
    } catch (error) {
      // Whether a partition can be read is for those who read it to tell.
      if (!isClientError(error)) throw error
      this.#lagDueMs = now + LOOK_MS
    }
  }

  #startLoops(signal: AbortSignal): void {
    for (const { leader } of this.#partitions.values()) {
      if (leader === undefined || this.#loops.has(leader)) continue
      const loop = this.#readFrom(leader, signal)
        .catch((error: unknown) => {
          if (!signal.aborted) this.#failure.reject(error)
        })
        .finally(() => this.#loops.delete(leader))
      this.#loops.set(leader, loop)
    }
  }

  async #readFrom(node: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#host.admit(signal)
      // After what may have been a long wait: by now another loop may have them, or another node.
      const now = this.#clock.monotonicMs()
      const due = [...this.#partitions.values()].filter(
        ({ leader, next, busy, retryAtMs }) =>
          leader === node && next !== undefined && !busy && retryAtMs <= now,
      )
      if (due.length === 0 || signal.aborted) return
      for (const partition of due) partition.busy = true
      try {
        await this.#fetchAll(node, due, signal)
      } finally {
        for (const partition of due) partition.busy = false
      }
      // Somebody else has gone on with one of them.
      if (due.some(({ next }) => next === undefined)) this.#wake.abort()
    }
  }

  async #fetchAll(
    node: number,
    partitions: readonly TopicPartition[],
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#fetch(node, partitions, FETCH_MS_MAX, signal)
    } catch (error) {
      if (!isClientError(error) || signal.aborted) throw error
      this.#client.clearMetadata()
      if (isNetworkFailure(error)) {
        for (const partition of partitions) this.#failed(partition, error)
        return
      }
      // What one partition is refused for fails the fetch of all, and does not say which. So each is tried
      // alone, once.
      for (const partition of partitions) {
        await this.#attempt(partition, async () => {
          await this.#fetch(node, [partition], 0, signal).catch(async (alone: unknown) => {
            if (!answered(alone, 'OFFSET_OUT_OF_RANGE')) throw alone
            if (!(await partition.leaveRange(this.#topic))) throw alone
          })
        })
      }
    }
  }

  async #fetch(
    node: number,
    partitions: readonly TopicPartition[],
    waitMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const wanted = new Map(
      partitions.flatMap((partition) =>
        partition.next === undefined
          ? []
          : [[partition.number, { partition, from: partition.next }]],
      ),
    )
    const response = await this.#client
      .fetch({
        node,
        minBytes: 1,
        maxBytes: Math.max(MIB, Math.floor(FETCHED_BYTES_MAX / this.#loops.size)),
        maxWaitTime: waitMs,
        topics: [
          {
            topicId: this.#topic.id,
            partitions: [...wanted].map(([partition, { from }]) => ({
              partition,
              fetchOffset: from,
              currentLeaderEpoch: -1,
              lastFetchedEpoch: -1,
              partitionMaxBytes: PARTITION_BYTES_MAX,
            })),
          },
        ],
      })
      .catch((error: unknown) => {
        throw fetchError(error)
      })
    const takes = response.responses.flatMap((topic) =>
      topic.partitions.map(async (fetched) => {
        const of = wanted.get(fetched.partitionIndex)
        if (of !== undefined) await of.partition.take(fetched, of.from, signal)
      }),
    )
    // All of them end before one that fails is told of: their partitions are busy until then.
    await Promise.allSettled(takes)
    await Promise.all(takes)
    // Where nothing is new, a broker may answer without the partition.
    for (const { partition } of wanted.values()) partition.mended()
  }

  /** What fails for the client's reasons is shown, and tried again a little later. */
  async #attempt(partition: TopicPartition, act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      if (!isClientError(error)) throw error
      this.#failed(partition, error)
    }
  }

  #failed(partition: TopicPartition, error: Error): void {
    const act = `read partition ${partition.name} of ${this.#topic.name}`
    partition.failed(sourceError(act, error), this.#clock.monotonicMs() + RETRY_MS)
  }
}
