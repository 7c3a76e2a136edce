/** Kinesalite, a Kinesis server in memory; and what its tests do to a stream: put, split, merge. */
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kinesis } from '@aws-sdk/client-kinesis'
import type { Shard } from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { SeededRandom } from '../fakes/seeded-random.ts'
import { installKinesalite } from './install.ts'
import { freePort, startProcess, stopProcess } from './process.ts'
import { until } from './until.ts'

/** How long a stream is in the making, or changed. */
const CHANGE_MS = 50
const BATCH_RECORDS_MAX = 500
const KEY_CHARACTERS_MAX = 256
const ACCOUNT = '000000000000'

export interface KinesisServer extends AsyncDisposable {
  readonly endpoint: string
  readonly client: Kinesis
}

/** Undefined where it can't be had. */
export async function startKinesis(): Promise<KinesisServer | undefined> {
  const script = await installKinesalite()
  if (script === undefined) return undefined
  const port = await freePort()
  const options = ['createStreamMs', 'deleteStreamMs', 'updateStreamMs'].flatMap((name) => [
    `--${name}`,
    String(CHANGE_MS),
  ])
  const child = await startProcess(
    [process.execPath, script, '--port', String(port), '--shardLimit', '500', ...options],
    { port, folder: tmpdir(), environment: {} },
  )
  const endpoint = `http://127.0.0.1:${port}`
  const client = new Kinesis({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    requestHandler: new NodeHttpHandler(),
  })
  return {
    endpoint,
    client,
    async [Symbol.asyncDispose]() {
      client.destroy()
      await stopProcess(child)
    },
  }
}

export function kinesisArn(streamName: string): string {
  return `arn:aws:kinesis:us-east-1:${ACCOUNT}:stream/${streamName}`
}

export class KinesisStream {
  readonly name: string
  readonly #client: Kinesis

  private constructor(name: string, client: Kinesis) {
    this.name = name
    this.#client = client
  }

  static async create(client: Kinesis, name: string, shardCount: number): Promise<KinesisStream> {
    await client.createStream({ StreamName: name, ShardCount: shardCount })
    const stream = new KinesisStream(name, client)
    await stream.#active()
    return stream
  }

  /** Each under the partition key that is its text up to the first colon. */
  async put(records: readonly string[]): Promise<void> {
    for (let from = 0; from < records.length; from += BATCH_RECORDS_MAX) {
      await this.#client.putRecords({
        StreamName: this.name,
        Records: records.slice(from, from + BATCH_RECORDS_MAX).map((record) => ({
          Data: Buffer.from(record),
          PartitionKey: record.split(':')[0]?.slice(0, KEY_CHARACTERS_MAX),
        })),
      })
    }
  }

  /** The shards that take records, in the order of their keys. */
  async openShards(): Promise<Shard[]> {
    const { Shards = [] } = await this.#client.listShards({ StreamName: this.name })
    const open = Shards.filter(
      ({ SequenceNumberRange }) => SequenceNumberRange?.EndingSequenceNumber === undefined,
    )
    return open.toSorted((one, other) => (firstKey(one) < firstKey(other) ? -1 : 1))
  }

  /** Splits a shard, or merges two, while more than `countMin` take records. */
  async reshard(random: SeededRandom, countMin: number): Promise<void> {
    const open = await this.openShards()
    const at = random.integer(0, open.length - 1)
    const [one, next] = open.slice(at)
    if (one === undefined) throw new Error(`Cannot reshard ${this.name}: it has no shard`)
    const isMerge = next !== undefined && open.length > countMin && random.next() < 0.5
    await (isMerge ? this.merge(one, next) : this.split(one))
  }

  /** Cuts a shard in halves. */
  async split({ ShardId, HashKeyRange }: Shard): Promise<void> {
    const first = BigInt(HashKeyRange?.StartingHashKey ?? 0)
    const last = BigInt(HashKeyRange?.EndingHashKey ?? 0)
    await this.#client.splitShard({
      StreamName: this.name,
      ShardToSplit: ShardId,
      NewStartingHashKey: String((first + last) / 2n),
    })
    await this.#active()
  }

  /** Two neighbours in the order of their keys. */
  async merge(one: Shard, other: Shard): Promise<void> {
    await this.#client.mergeShards({
      StreamName: this.name,
      ShardToMerge: one.ShardId,
      AdjacentShardToMerge: other.ShardId,
    })
    await this.#active()
  }

  async #active(): Promise<void> {
    await sleep(CHANGE_MS)
    await until(`stream ${this.name} is active`, 10_000, async () => {
      const { StreamDescriptionSummary } = await this.#client.describeStreamSummary({
        StreamName: this.name,
      })
      return StreamDescriptionSummary?.StreamStatus === 'ACTIVE' ? true : undefined
    })
  }
}

function firstKey({ HashKeyRange }: Shard): bigint {
  return BigInt(HashKeyRange?.StartingHashKey ?? 0)
}
