/** Where a partition's log begins and ends, and which offset belongs to an instant. */
import { FetchIsolationLevels, ListOffsetTimestamps } from '@platformatic/kafka'
import { SourceError } from '../../source.ts'
import type { KafkaClient } from './clients.ts'

export interface LogRange {
  /** Of the first record that is kept. */
  readonly earliest: bigint
  /** Of the next record that is committed. */
  readonly end: bigint
}

export async function logRange(
  client: KafkaClient,
  topic: string,
  partition: number,
): Promise<LogRange> {
  const [earliest, end] = await Promise.all([
    offsetAt(client, topic, partition, ListOffsetTimestamps.EARLIEST),
    offsetAt(client, topic, partition, ListOffsetTimestamps.LATEST),
  ])
  return { earliest, end }
}

/**
 * Where the logs of all these partitions end, by their numbers. What transactions that are open have
 * written is counted, as a fetch's high watermark and Kafka's own tools count it.
 */
export async function logEnds(
  client: KafkaClient,
  topic: string,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, bigint>> {
  const offsets = await client.listOffsets({
    topics: [topic],
    partitions: { [topic]: [...partitions] },
    timestamp: ListOffsetTimestamps.LATEST,
    isolationLevel: FetchIsolationLevels.READ_UNCOMMITTED,
  })
  return new Map(
    (offsets.get(topic) ?? []).flatMap((end, partition) => [[partition, end] as const]),
  )
}

/** Of the first record at or after the instant; the log's end where there is none yet. */
export async function offsetSince(
  client: KafkaClient,
  topic: string,
  partition: number,
  sinceMs: number,
): Promise<bigint> {
  // All that is kept, records without a timestamp among it.
  if (sinceMs === 0) return await offsetAt(client, topic, partition, ListOffsetTimestamps.EARLIEST)
  // The end is asked for first: what arrives between the two answers is behind it, or found by the second.
  const end = await offsetAt(client, topic, partition, ListOffsetTimestamps.LATEST)
  const found = await offsetAt(client, topic, partition, BigInt(Math.ceil(sinceMs)))
  return found < 0n ? end : found
}

async function offsetAt(
  client: KafkaClient,
  topic: string,
  partition: number,
  timestamp: bigint,
): Promise<bigint> {
  const offsets = await client.listOffsets({
    topics: [topic],
    partitions: { [topic]: [partition] },
    timestamp,
  })
  const offset = offsets.get(topic)?.[partition]
  if (offset === undefined) {
    const message = `Cannot read partition ${partition} of ${topic}: Kafka told no offset of it`
    throw new SourceError('Kafka.ReadFailed', message)
  }
  return offset
}
