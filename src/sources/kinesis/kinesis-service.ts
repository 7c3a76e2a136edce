/**
 * The calls to Kinesis that reading takes, each one attempt: who calls paces and repeats them. All go by
 * HTTP/1.1, which every server of this protocol speaks, but for SubscribeToShard, which there is in HTTP/2
 * only. The SDK is loaded when the first stream is opened.
 */
import type {
  Kinesis,
  KinesisClientConfig,
  Shard as ServiceShard,
  StartingPosition,
  _Record,
} from '@aws-sdk/client-kinesis'
import type { NodeHttpHandlerOptions } from '@smithy/node-http-handler'
import type { SourceTools } from '../../source.ts'
import { streamPlace } from './configuration.ts'
import type { Beginning } from './configuration.ts'
import { KinesisFailure } from './kinesis-failure.ts'

const HTTP: NodeHttpHandlerOptions = {
  connectionTimeout: 5_000,
  requestTimeout: 10_000,
  throwOnRequestTimeout: true,
  socketTimeout: 30_000,
}

export interface Shard {
  readonly shardId: string
  /** None, one it was split off, or two that were merged; they may not be listed any more. */
  readonly parents: readonly string[]
  readonly hashKeys: { readonly first: bigint; readonly last: bigint }
  /** It takes no more records. */
  readonly isClosed: boolean
}

export interface KinesisRecord {
  readonly data: Buffer
  readonly sequenceNumber: string
  readonly partitionKey: string
  readonly arrivedAtMs: number
}

/** Where to read from in a shard. */
export type ShardPlace =
  | Beginning
  | {
      readonly type: 'AT_SEQUENCE_NUMBER' | 'AFTER_SEQUENCE_NUMBER'
      readonly sequenceNumber: string
    }

/** Of one answer to GetRecords; or 10 MiB. */
export const PAGE_RECORDS_MAX = 10_000

/** What one call or event brought of a shard. */
export interface ShardPage {
  readonly records: readonly KinesisRecord[]
  readonly behindLatestMs: number
  /** For the call after this one: an iterator, or a sequence number. Undefined: the shard is at its end. */
  readonly next: string | undefined
}

/** Of a server that tells no ranges: all keys. Else what was aggregated would be dropped as stray. */
const HASH_KEY_MAX = 2n ** 128n - 1n

/** @throws KinesisFailure from all of its methods */
export class KinesisService {
  /** AWS goes by the ARN, which may be another account's; other servers know names only. */
  readonly #stream: { readonly StreamARN: string; readonly StreamName: string }
  readonly #kinesis: Kinesis
  readonly #subscriber: Kinesis

  private constructor(streamArn: string, kinesis: Kinesis, subscriber: Kinesis) {
    this.#stream = { StreamARN: streamArn, StreamName: streamPlace(streamArn).streamName }
    this.#kinesis = kinesis
    this.#subscriber = subscriber
  }

  static async open(streamArn: string, tools: SourceTools): Promise<KinesisService> {
    const { Kinesis } = await import('@aws-sdk/client-kinesis')
    const { NodeHttpHandler } = await import('@smithy/node-http-handler')
    const connection = tools.connections.find(streamArn)
    const { accessKeyId, secretAccessKey } = connection ?? {}
    const endpoint = connection?.endpoint ?? tools.kinesisEndpoint
    const configuration: KinesisClientConfig = {
      region: streamPlace(streamArn).region,
      maxAttempts: 1,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(accessKeyId === undefined || secretAccessKey === undefined
        ? {}
        : { credentials: { accessKeyId, secretAccessKey } }),
    }
    const kinesis = new Kinesis({ ...configuration, requestHandler: new NodeHttpHandler(HTTP) })
    // It goes through each answer record by record, for a log that nobody keeps.
    kinesis.middlewareStack.remove('loggerMiddleware')
    return new KinesisService(streamArn, kinesis, new Kinesis(configuration))
  }

  close(): void {
    this.#kinesis.destroy()
    this.#subscriber.destroy()
  }

  /** All there are, open and closed, as long as their records are kept. */
  async shards(abortSignal: AbortSignal): Promise<readonly Shard[]> {
    const shards: Shard[] = []
    let NextToken: string | undefined
    do {
      const input = NextToken === undefined ? this.#stream : { NextToken }
      const page = await attempt('ListShards', () =>
        this.#kinesis.listShards(input, { abortSignal }),
      )
      shards.push(...(page.Shards ?? []).map(shardOf))
      NextToken = page.NextToken
    } while (NextToken !== undefined)
    return shards
  }

  async iterator(
    ShardId: string,
    place: ShardPlace,
    abortSignal: AbortSignal,
  ): Promise<string | undefined> {
    const { Type, Timestamp, SequenceNumber } = startingPosition(place)
    const { ShardIterator } = await attempt('GetShardIterator', () =>
      this.#kinesis.getShardIterator(
        {
          ...this.#stream,
          ShardId,
          ShardIteratorType: Type,
          Timestamp,
          StartingSequenceNumber: SequenceNumber,
        },
        { abortSignal },
      ),
    )
    return ShardIterator
  }

  /** @param Limit how many records at most, up to PAGE_RECORDS_MAX */
  async records(
    ShardIterator: string,
    Limit: number,
    abortSignal: AbortSignal,
  ): Promise<ShardPage> {
    const { Records, MillisBehindLatest, NextShardIterator } = await attempt('GetRecords', () =>
      this.#kinesis.getRecords({ ShardIterator, Limit }, { abortSignal }),
    )
    return {
      records: (Records ?? []).map(recordOf),
      behindLatestMs: MillisBehindLatest ?? 0,
      next: NextShardIterator,
    }
  }

  /** The ARN of the consumer of this name, made if there is none. */
  async consumerArn(ConsumerName: string, abortSignal: AbortSignal): Promise<string | undefined> {
    const names = { StreamARN: this.#stream.StreamARN, ConsumerName }
    try {
      const { ConsumerDescription: consumer } = await attempt('DescribeStreamConsumer', () =>
        this.#kinesis.describeStreamConsumer(names, { abortSignal }),
      )
      return consumer?.ConsumerStatus === 'ACTIVE' ? consumer.ConsumerARN : undefined
    } catch (error) {
      if (!(error instanceof KinesisFailure) || !error.isNotFound) throw error
    }
    await attempt('RegisterStreamConsumer', () =>
      this.#kinesis.registerStreamConsumer(names, { abortSignal }),
    ).catch((error: unknown) => {
      // Another node was faster.
      if (!(error instanceof KinesisFailure) || !error.isInUse) throw error
    })
    return undefined
  }

  /** Events for up to five minutes; one that takes no more until it is asked holds the service back. */
  async *subscribe(
    ConsumerARN: string,
    ShardId: string,
    place: ShardPlace,
    abortSignal: AbortSignal,
  ): AsyncGenerator<ShardPage> {
    const input = { ConsumerARN, ShardId, StartingPosition: startingPosition(place) }
    const { EventStream } = await attempt('SubscribeToShard', () =>
      this.#subscriber.subscribeToShard(input, { abortSignal }),
    )
    const events = EventStream?.[Symbol.asyncIterator]()
    if (events === undefined) return
    try {
      for (;;) {
        const { done, value } = await attempt('SubscribeToShard', () => events.next())
        if (done === true) return
        const event = value.SubscribeToShardEvent
        if (event === undefined) continue
        yield {
          records: (event.Records ?? []).map(recordOf),
          behindLatestMs: event.MillisBehindLatest ?? 0,
          next: event.ContinuationSequenceNumber,
        }
      }
    } finally {
      await events.return?.()
    }
  }
}

async function attempt<Answer>(operation: string, call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call()
  } catch (error) {
    throw new KinesisFailure(operation, error)
  }
}

function startingPosition(place: ShardPlace): StartingPosition {
  if (place.type === 'TRIM_HORIZON') return { Type: place.type }
  if (place.type === 'AT_TIMESTAMP') return { Type: place.type, Timestamp: new Date(place.atMs) }
  return { Type: place.type, SequenceNumber: place.sequenceNumber }
}

function shardOf(shard: ServiceShard): Shard {
  const { ShardId, ParentShardId, AdjacentParentShardId, SequenceNumberRange } = shard
  const { StartingHashKey, EndingHashKey } = shard.HashKeyRange ?? {}
  return {
    shardId: ShardId ?? '',
    parents: [ParentShardId, AdjacentParentShardId].filter((id) => id !== undefined),
    hashKeys: { first: BigInt(StartingHashKey ?? 0), last: BigInt(EndingHashKey ?? HASH_KEY_MAX) },
    isClosed: SequenceNumberRange?.EndingSequenceNumber !== undefined,
  }
}

function recordOf(record: _Record): KinesisRecord {
  const { Data, SequenceNumber, PartitionKey, ApproximateArrivalTimestamp } = record
  const { buffer, byteOffset, byteLength } = Data ?? new Uint8Array()
  return {
    data: Buffer.from(buffer, byteOffset, byteLength),
    sequenceNumber: SequenceNumber ?? '',
    partitionKey: PartitionKey ?? '',
    arrivedAtMs: ApproximateArrivalTimestamp?.getTime() ?? 0,
  }
}
