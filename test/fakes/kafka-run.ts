/** A Kafka source that is run as the service runs it, on a host in memory. */
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import type { Connection } from '../../src/connections.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import { SourceError } from '../../src/source.ts'
import { kafkaSource } from '../../src/sources/kafka/index.ts'
import { FakeSourceHost, FakeTakeover } from './source-host.ts'

export const CLUSTER_ARN = 'arn:aws:kafka:us-east-1:000000000000:cluster/test/1-2'
const RERUN_MS = 100

interface KafkaRunOptions {
  readonly topic: string
  /** Of the host's settings for the cluster; absent: there are none. */
  readonly connection: Connection | undefined
  /** Seconds since the epoch; absent: from its first record on. */
  readonly readFrom?: number
  /** What other runs of the stream have in common with this one. */
  readonly takeover?: FakeTakeover
  readonly wantsMetadata?: boolean
  readonly streamId?: string
  /** Before it is run. */
  readonly prepare?: (host: FakeSourceHost) => void
}

export class KafkaRun implements AsyncDisposable {
  readonly host: FakeSourceHost
  /** When its source had to be run anew, why. */
  readonly failures: SourceError[] = []
  readonly #abort = new AbortController()
  readonly #running: Promise<void>

  constructor(options: KafkaRunOptions) {
    const { topic, connection, readFrom = 0, takeover, wantsMetadata = false } = options
    const stream = streamOfTopic(topic, readFrom, options.streamId)
    this.host = new FakeSourceHost(stream, takeover ?? new FakeTakeover(), wantsMetadata)
    options.prepare?.(this.host)
    this.#running = this.#run(stream, connection)
  }

  get texts(): readonly string[] {
    return this.host.records.map(({ data }) => data.toString())
  }

  /** Of what was shown as failing, by the source or by the runner. */
  get errorCodes(): readonly string[] {
    return [...this.host.failures.map(({ error }) => error), ...this.failures].map(
      ({ errorCode }) => errorCode,
    )
  }

  async untilRecords(count: number): Promise<void> {
    await this.host.until(() => this.host.records.length >= count)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort()
    await this.#running
  }

  async #run(stream: DeliveryStream, connection: Connection | undefined): Promise<void> {
    const connections = {
      find: (url: string) => (url === CLUSTER_ARN ? connection : undefined),
      secret: () => Promise.reject(new Error('no secrets here')),
    }
    const { signal } = this.#abort
    const source = await kafkaSource.open(stream, {
      connections,
      kinesisEndpoint: undefined,
      region: 'us-east-1',
      clock: systemClock,
      logger: silentLogger,
    })
    while (!signal.aborted) {
      try {
        await source.run(this.host, signal)
      } catch (error) {
        if (!(error instanceof SourceError)) throw error
        this.failures.push(error)
        this.host.failed(error)
        await sleep(RERUN_MS)
      }
    }
  }
}

export function streamOfTopic(topic: string, readFrom: number, streamId = topic): DeliveryStream {
  const configuration = {
    MSKClusterARN: CLUSTER_ARN,
    TopicName: topic,
    AuthenticationConfiguration: {
      RoleARN: 'arn:aws:iam::000000000000:role/kafka',
      Connectivity: 'PRIVATE',
    },
    ReadFromTimestamp: readFrom,
  }
  return {
    streamId,
    name: 'clicks',
    arn: 'arn:aws:firehose:us-east-1:000000000000:deliverystream/clicks',
    status: 'ACTIVE',
    type: 'MSKAsSource',
    createdAtMs: 0,
    source: kafkaSource.create(configuration, 0, { strictAws: false, objectStoreKind: 'folder' }),
    versionId: 1,
    revision: 1,
    tags: [],
    encryption: { status: 'DISABLED' },
    destinationType: 'ExtendedS3',
    destination: {},
  }
}
