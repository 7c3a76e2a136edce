/** A source of Redis streams under a host in memory, run and stopped by tests. */
import { systemClock } from '../../src/base/clock.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { NO_CONNECTIONS } from '../../src/connections.ts'
import type { Connections } from '../../src/connections.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { SourceTools } from '../../src/source.ts'
import { redisStreamSource } from '../../src/sources/redis-streams/index.ts'
import { FakeSourceHost, FakeTakeover } from './source-host.ts'

export const STREAM_ID = '0123456789abcdef'
export const GROUP = 'standpipe-orders-01234567'

export function redisStream(
  configuration: JsonObject,
  createdAtMs = 1_700_000_000_000,
): DeliveryStream {
  const context = { strictAws: false, objectStoreKind: 's3' as const }
  return {
    streamId: STREAM_ID,
    name: 'orders',
    arn: 'arn:aws:firehose:eu-central-1:000000000000:deliverystream/orders',
    status: 'ACTIVE',
    type: 'RedisStreamAsSource',
    createdAtMs,
    source: redisStreamSource.create(configuration, createdAtMs, context),
    versionId: 1,
    revision: 1,
    tags: [],
    encryption: { status: 'DISABLED' },
    destinationType: 'ExtendedS3',
    destination: {},
  }
}

export interface RunOptions {
  readonly configuration: JsonObject
  /** Shared by runs that are of one stream. */
  readonly takeover?: FakeTakeover
  readonly wantsMetadata?: boolean
  readonly connections?: Connections
  /** Called before it is run. */
  readonly prepare?: (host: FakeSourceHost) => void
}

export class SourceRun implements AsyncDisposable {
  readonly host: FakeSourceHost
  /** Settles when the source has ended; with its error, if it had one. */
  readonly ended: Promise<unknown>
  readonly #stop = new AbortController()

  constructor({ configuration, takeover, wantsMetadata, connections, prepare }: RunOptions) {
    const stream = redisStream(configuration)
    this.host = new FakeSourceHost(stream, takeover ?? new FakeTakeover(), wantsMetadata)
    prepare?.(this.host)
    const tools: SourceTools = {
      connections: connections ?? NO_CONNECTIONS,
      kinesisEndpoint: undefined,
      region: 'eu-central-1',
      clock: systemClock,
      logger: silentLogger,
    }
    this.ended = redisStreamSource
      .open(stream, tools)
      .then((source) => source.run(this.host, this.#stop.signal))
      .finally(() => this.host.releaseLeases())
      .catch((error: unknown) => error)
  }

  get texts(): readonly string[] {
    return this.host.records.map(({ data }) => data.toString())
  }

  async untilCount(count: number): Promise<void> {
    await this.host.until(() => this.host.records.length >= count)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    const error = await this.ended
    if (error !== undefined) throw error
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.ended
  }
}
