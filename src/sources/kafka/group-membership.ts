/**
 * This process's part in the consumer group, by which nodes share the partitions of a topic.
 *
 * It decides who reads what, and nothing else: where a partition is read on is the store's to know, and
 * two readers of one do no harm (chunk-origin.ts). So partitions are read on while the group is being
 * rearranged, and offsets are committed for tools that show the lag of groups.
 */
import type { ConsumerGroupJoinPayload, GroupPartitionsAssigner } from '@platformatic/kafka'
import { roundRobinAssigner } from '@platformatic/kafka'
import { aborted } from '../../base/aborted.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { SourceError } from '../../source.ts'
import type { KafkaClient } from './clients.ts'
import { isClientError, sourceError } from './failure.ts'

const COMMIT_MS = 1_000
const LAST_COMMIT_MS_MAX = 2_000

export interface GroupMembershipOptions {
  readonly client: KafkaClient
  readonly topic: string
  /** Which partitions are this process's now. */
  readonly assigned: (partitions: readonly number[]) => void
  /** What is committed: the next offset of each partition. */
  readonly offsets: () => ReadonlyMap<number, bigint>
  readonly clock: Clock
  readonly logger: Logger
}

export class GroupMembership {
  readonly #options: GroupMembershipOptions
  readonly #client: KafkaClient
  readonly #failure = Promise.withResolvers<never>()
  readonly #committed = new Map<number, bigint>()
  #joined = false
  /** How many partitions the assigner has shared out; it is not asked when there is one member. */
  #sharedCount: number | undefined
  /** How many partitions the group shares; undefined where another member leads it. */
  #ledCount: number | undefined

  constructor(options: GroupMembershipOptions) {
    this.#options = options
    this.#client = options.client
    this.#failure.promise.catch(() => {})
    this.#client.on('consumer:group:join', this.#onJoin)
    this.#client.on('consumer:group:rebalance', () => {
      this.#joined = false
    })
    this.#client.on('error', (error: Error) => {
      this.#failure.reject(sourceError(`stay in group ${this.#client.groupId}`, error))
    })
    this.#client.on('consumer:heartbeat:stalled', () => {
      const message = `Cannot stay in group ${this.#client.groupId}: no heartbeat was answered`
      this.#failure.reject(new SourceError('Kafka.ConnectionFailed', message))
    })
    this.#client.topics.track(options.topic)
  }

  /**
   * Until the signal aborts.
   * @throws SourceError when the group can't be joined, or membership is lost
   */
  async run(signal: AbortSignal): Promise<void> {
    const stopped = aborted(signal)
    await Promise.race([this.#join(), this.#failure.promise, stopped])
    while (!signal.aborted) {
      const pause = this.#options.clock.sleep(COMMIT_MS, signal)
      await Promise.race([pause, this.#failure.promise])
      if (signal.aborted || !this.#joined) continue
      await Promise.race([this.#commit(), this.#failure.promise, stopped])
      await Promise.race([this.#shareNewPartitions(), this.#failure.promise, stopped])
    }
  }

  /** Commits the last offsets and leaves, so that others need not wait until the session has expired. */
  async leave(): Promise<void> {
    const { clock, logger } = this.#options
    const done = new AbortController()
    if (this.#joined) {
      await Promise.race([this.#commit(), clock.sleep(LAST_COMMIT_MS_MAX, done.signal)])
      done.abort()
    }
    await this.#client.close(true).catch((error: unknown) => {
      logger.debug({ error }, 'Kafka group not left; its session expires.')
    })
  }

  async #join(): Promise<void> {
    try {
      await this.#client.joinGroup({ partitionAssigner: this.#share })
    } catch (error) {
      if (!isClientError(error)) throw error
      throw sourceError(`join group ${this.#client.groupId}`, error)
    }
  }

  readonly #share: GroupPartitionsAssigner = (current, members, topics, metadata) => {
    this.#sharedCount = metadata.topics.get(this.#options.topic)?.partitionsCount
    return roundRobinAssigner(current, members, topics, metadata)
  }

  readonly #onJoin = ({ isLeader, assignments }: ConsumerGroupJoinPayload): void => {
    const { topic, assigned } = this.#options
    const partitions = assignments?.find((assignment) => assignment.topic === topic)?.partitions
    this.#ledCount = isLeader === true ? (this.#sharedCount ?? partitions?.length) : undefined
    this.#sharedCount = undefined
    this.#joined = true
    assigned(partitions ?? [])
  }

  async #commit(): Promise<void> {
    const { topic, offsets, logger } = this.#options
    const changed = [...offsets()].filter(
      ([partition, offset]) => this.#committed.get(partition) !== offset,
    )
    if (changed.length === 0) return
    try {
      await this.#client.commit({
        offsets: changed.map(([partition, offset]) => ({
          topic,
          partition,
          offset,
          leaderEpoch: -1,
        })),
      })
      for (const [partition, offset] of changed) this.#committed.set(partition, offset)
    } catch (error) {
      if (!isClientError(error)) throw error
      logger.debug({ error }, 'Kafka offsets not committed; they are with the next second’s.')
    }
  }

  /** Members are not told of new partitions: the leader of the group has it joined anew. */
  async #shareNewPartitions(): Promise<void> {
    const { topic, logger } = this.#options
    if (this.#ledCount === undefined) return
    try {
      const { topics } = await this.#client.metadata({ topics: [topic] })
      const count = topics.get(topic)?.partitionsCount
      if (count === undefined || count === this.#ledCount) return
      this.#joined = false
      await this.#join()
    } catch (error) {
      if (!isClientError(error)) throw error
      logger.debug({ error }, 'Kafka topic not looked at; the next second does.')
    }
  }
}
