/**
 * Kinesis, twice. Before a replay (kinesis-replay.ts), which has its answers ready, so that it is the
 * client whose limits show; and before kinesalite, a real server in memory, which looks through all that
 * is left of a shard for each answer, so that there are few records.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Kinesis } from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { kinesisArn, KinesisStream, startKinesis } from '../../test/servers/kinesis.ts'
import { logRecords } from '../workload.ts'
import type { ReplayOrder } from './kinesis-replay.ts'
import { ROLE } from './source-bench.ts'
import type { SourceBench, SourcePlan } from './source-bench.ts'

const REPLAY = new URL('kinesis-replay.ts', import.meta.url)
const KEYS = { accessKeyId: 'bench', secretAccessKey: 'bench' }
/** What a shard may be asked for a second limits 100 of them to 200,000 records a second. */
const REPLAYED_SHARDS = 100
const KINESALITE_SHARDS = 16
/** Shards that the bare client reads at a time, as Standpipe does. */
const BARE_LANES = 8
/** About 2 MiB, as Standpipe asks for. */
const BARE_PAGE_RECORDS = 2_000

export const kinesisReplayed: SourcePlan = {
  name: 'Kinesis, replayed',
  recordCountMax: 1_000_000,
  needs: 'nothing',
  async open() {
    const child = fork(REPLAY, { execArgv: [] })
    const [port] = (await once(child, 'message')) as [number]
    const endpoint = `http://127.0.0.1:${port}`
    return {
      ...benchAt(endpoint),
      async fill(streamName, recordCount) {
        const order: ReplayOrder = { streamName, recordCount, shardCount: REPLAYED_SHARDS }
        child.send(order)
        await once(child, 'message')
      },
      async [Symbol.asyncDispose]() {
        const exited = once(child, 'exit')
        child.kill()
        await exited
      },
    }
  },
  readBare,
}

export const kinesalite: SourcePlan = {
  name: 'Kinesis, kinesalite',
  recordCountMax: 20_000,
  needs: 'kinesalite from npm',
  async open() {
    const server = await startKinesis()
    if (server === undefined) return undefined
    return {
      ...benchAt(server.endpoint),
      async fill(name, recordCount) {
        const stream = await KinesisStream.create(server.client, name, KINESALITE_SHARDS)
        // Up to its first colon a record is its key: they all begin with a time of their own.
        await stream.put(logRecords(recordCount).map((record) => record.toString()))
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  },
  readBare,
}

function benchAt(endpoint: string): Pick<SourceBench, 'place' | 'environment' | 'stream'> {
  return {
    place: endpoint,
    environment: (names) => ({
      STANDPIPE_CONNECTIONS: JSON.stringify(
        names.map((name) => ({ url: kinesisArn(name), endpoint, ...KEYS })),
      ),
    }),
    stream: (name) => ({
      DeliveryStreamType: 'KinesisStreamAsSource',
      KinesisStreamSourceConfiguration: {
        KinesisStreamARN: kinesisArn(name),
        RoleARN: ROLE,
        StartingPosition: 'TRIM_HORIZON',
      },
    }),
  }
}

/** Commits nothing: where a reader of Kinesis keeps its checkpoints is its own affair. */
async function readBare(endpoint: string, StreamName: string): Promise<void> {
  const client = new Kinesis({
    endpoint,
    region: 'us-east-1',
    credentials: KEYS,
    requestHandler: new NodeHttpHandler(),
  })
  const { Shards = [] } = await client.listShards({ StreamName })
  const left = Shards.values()
  const lane = async (): Promise<void> => {
    for (const { ShardId } of left) await readShard(client, StreamName, ShardId ?? '')
  }
  await Promise.all(Array.from({ length: BARE_LANES }, lane))
  client.destroy()
}

async function readShard(client: Kinesis, StreamName: string, ShardId: string): Promise<void> {
  const start = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' } as const
  let { ShardIterator } = await client.getShardIterator(start)
  while (ShardIterator !== undefined) {
    const page = await client.getRecords({ ShardIterator, Limit: BARE_PAGE_RECORDS })
    ShardIterator = page.Records?.length === 0 ? undefined : page.NextShardIterator
  }
}
