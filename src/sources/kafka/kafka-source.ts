/**
 * A topic of a Kafka cluster. Which partitions this process reads is decided by a consumer group
 * (group-membership.ts); from where, by the positions that the store keeps (topic-partition.ts); how, in
 * topic-reader.ts.
 */
import type { Source, SourceHost, SourceTools } from '../../source.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import { openClients } from './clients.ts'
import type { KafkaSourceConfiguration } from './configuration.ts'
import { GroupMembership } from './group-membership.ts'
import { TopicReader } from './topic-reader.ts'

export class KafkaSource implements Source {
  readonly #configuration: KafkaSourceConfiguration
  readonly #tools: SourceTools

  constructor(configuration: KafkaSourceConfiguration, tools: SourceTools) {
    this.#configuration = configuration
    this.#tools = tools
  }

  async run(host: SourceHost, signal: AbortSignal): Promise<void> {
    const { clock, logger, connections } = this.#tools
    const { MSKClusterARN, TopicName: topic, ReadFromTimestamp } = this.#configuration
    const clients = openClients(connections, MSKClusterARN, groupId(host.stream))
    const sinceMs = ReadFromTimestamp * 1000
    const reader = new TopicReader({ client: clients.reader, topic, sinceMs, host, clock })
    const membership = new GroupMembership({
      client: clients.member,
      topic,
      assigned: (partitions) => reader.assign(partitions),
      offsets: () => reader.offsets(),
      clock,
      logger,
    })
    const over = new AbortController()
    const either = AbortSignal.any([signal, over.signal])
    const running = [membership.run(either), reader.run(either)]
    try {
      await Promise.race(running)
    } catch (error) {
      // What fails while it is let go concerns nobody.
      if (!signal.aborted) throw error
    } finally {
      over.abort()
      await membership.leave()
      await clients.reader.close(true).catch((error: unknown) => {
        logger.debug(
          { error },
          'Kafka connections not closed; the process that holds them goes on.',
        )
      })
      await Promise.allSettled(running)
      await reader.settled()
    }
  }
}

/** The nodes of one stream share one group; a stream made again under the same name has another. */
export function groupId({ name, streamId }: DeliveryStream): string {
  return `standpipe-${name}-${streamId.slice(0, 8)}`
}
