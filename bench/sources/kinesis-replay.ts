/**
 * The least that a Kinesis can do in Node, in a process of its own: all shards of a stream have the same
 * records, and what one was answered is kept for the others. Tells its parent its port; makes the streams
 * that the parent orders, and says so.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { logRecords } from '../workload.ts'

export interface ReplayOrder {
  readonly streamName: string
  /** Of the whole stream; each shard has its share of them. */
  readonly recordCount: number
  readonly shardCount: number
}

interface Input {
  readonly StreamName?: string
  readonly ShardId?: string
  readonly ShardIterator?: string
  readonly Limit?: number
}

interface Replayed {
  readonly shardCount: number
  /** Of each shard, as JSON. */
  readonly records: readonly string[]
  /** Of answers the part from their records on, by where they begin and how many were asked for. */
  readonly pages: Map<string, Buffer>
}

/** The service's own limit. */
const PAGE_RECORDS_MAX = 10_000
const SEQUENCE_DIGITS = 56

const streams = new Map<string, Replayed>()

const server = createServer((request, response) => {
  const operation = String(request.headers['x-amz-target']).split('.')[1]
  void text(request).then((body) => {
    const answer = answerTo(operation, JSON.parse(body) as Input)
    const bytes = answer.reduce((sum, part) => sum + part.byteLength, 0)
    response.writeHead(200, {
      'content-type': 'application/x-amz-json-1.1',
      'content-length': bytes,
    })
    for (const part of answer) response.write(part)
    response.end()
  })
})

function answerTo(operation: string | undefined, input: Input): readonly Buffer[] {
  const { StreamName = '', ShardId = '', ShardIterator = '', Limit = PAGE_RECORDS_MAX } = input
  switch (operation) {
    case 'ListShards':
      return [json({ Shards: shardsOf(streamNamed(StreamName)) })]
    case 'GetShardIterator':
      return [json({ ShardIterator: `${StreamName}/${ShardId}/0` })]
    case 'GetRecords':
      return recordsAt(ShardIterator, Limit)
    default:
      throw new Error(`Cannot answer ${operation}`)
  }
}

function recordsAt(iterator: string, limit: number): readonly Buffer[] {
  const [streamName = '', shardId = '', start = ''] = iterator.split('/')
  const { records, pages } = streamNamed(streamName)
  const from = Number(start)
  const next = Math.min(from + limit, records.length)
  const head = JSON.stringify({
    NextShardIterator: `${streamName}/${shardId}/${next}`,
    MillisBehindLatest: next < records.length ? 1_000 : 0,
  })
  const key = `${from}-${next}`
  const page = pages.get(key) ?? Buffer.from(`"Records":[${records.slice(from, next).join()}]}`)
  pages.set(key, page)
  return [Buffer.from(head.replace(/\}$/, ',')), page]
}

function streamNamed(name: string): Replayed {
  const stream = streams.get(name)
  if (stream === undefined) throw new Error(`Cannot find ${name}`)
  return stream
}

function shardsOf({ shardCount }: Replayed): object[] {
  const width = 2n ** 128n / BigInt(shardCount)
  return Array.from({ length: shardCount }, (_, index) => ({
    ShardId: `shardId-${String(index).padStart(12, '0')}`,
    HashKeyRange: {
      StartingHashKey: String(width * BigInt(index)),
      EndingHashKey: String(width * BigInt(index + 1) - 1n),
    },
    SequenceNumberRange: { StartingSequenceNumber: '0' },
  }))
}

function replayed({ recordCount, shardCount }: ReplayOrder): Replayed {
  const inShard = recordCount / shardCount
  if (!Number.isInteger(inShard)) throw new Error(`Cannot share out ${recordCount} records`)
  const records = logRecords(inShard).map((record, index) =>
    JSON.stringify({
      SequenceNumber: String(index + 1).padStart(SEQUENCE_DIGITS, '4'),
      ApproximateArrivalTimestamp: 1_790_000_000 + index / 1_000,
      Data: record.toString('base64'),
      PartitionKey: String(index),
    }),
  )
  return { shardCount, records, pages: new Map() }
}

function json(answer: object): Buffer {
  return Buffer.from(JSON.stringify(answer))
}

server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('message', (order) => {
  const { streamName } = order as ReplayOrder
  streams.set(streamName, replayed(order as ReplayOrder))
  process.send?.(streamName)
})
process.once('disconnect', () => process.exit())
