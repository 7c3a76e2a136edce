/** A Kinesis source under test: read for a host in memory, as fast as a test can have it. */
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import { readConfiguration } from '../../src/sources/kinesis/configuration.ts'
import { KinesisSource } from '../../src/sources/kinesis/kinesis-source.ts'
import type { JsonObject } from '../../src/base/json.ts'
import type { FakeSourceHost } from './source-host.ts'

const PACE = {
  callMsMin: 1,
  bytesPerMs: Infinity,
  idleMs: 20,
  discoveryMs: 50,
  retry: { firstMs: 5, maxMs: 50 },
}

export interface KinesisReading extends AsyncDisposable {
  /** Rejects when the source does. */
  readonly run: Promise<void>
  /** Resolves when the source has let go of everything. */
  stop(): Promise<void>
}

export function readKinesis(endpoint: string, host: FakeSourceHost): KinesisReading {
  const { source = {} } = host.stream
  const tools = {
    connections: {
      find: () => ({ endpoint, accessKeyId: 'test', secretAccessKey: 'test' }),
      secret: () => Promise.resolve({}),
    },
    kinesisEndpoint: undefined,
    region: 'us-east-1',
    clock: systemClock,
    logger: silentLogger,
  }
  const ending = new AbortController()
  const run = new KinesisSource(readConfiguration(source), tools, PACE)
    .run(host, ending.signal)
    .finally(() => host.releaseLeases())
  const stop = async (): Promise<void> => {
    ending.abort()
    await run
  }
  return {
    run,
    stop,
    async [Symbol.asyncDispose]() {
      ending.abort()
      await run.catch(() => undefined)
    },
  }
}

export function kinesisDelivery(
  KinesisStreamARN: string,
  special: JsonObject = { StartingPosition: 'TRIM_HORIZON' },
): DeliveryStream {
  return {
    streamId: 'id',
    name: 'clicks',
    arn: 'arn:aws:firehose:us-east-1:000000000000:deliverystream/clicks',
    status: 'ACTIVE',
    type: 'KinesisStreamAsSource',
    createdAtMs: 0,
    source: { KinesisStreamARN, RoleARN: 'arn:aws:iam::000000000000:role/firehose', ...special },
    versionId: 1,
    revision: 1,
    tags: [],
    encryption: { status: 'DISABLED' },
    destinationType: 'ExtendedS3',
    destination: {},
  }
}
