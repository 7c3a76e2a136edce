/**
 * A Kinesis of one stream that fails on demand, and has enhanced fan-out, which no server that can be
 * installed has. It takes HTTP/1.1 and HTTP/2 without TLS on one port, by how a connection begins.
 */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { ServerHttp2Stream } from 'node:http2'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { eventMessage, exceptionMessage } from './kinesis-event-stream.ts'

const KEYS_END = 2n ** 128n - 1n

interface StoredRecord {
  readonly sequence: number
  readonly Data: string
  readonly arrivedAtMs: number
}

interface FakeShard {
  readonly parent: string | undefined
  records: StoredRecord[]
  closed: boolean
}

interface Subscription {
  readonly shardId: string
  readonly stream: ServerHttp2Stream
  /** The next to be sent. */
  from: number
}

type Input = Readonly<Record<string, unknown>>

export class FakeKinesis implements AsyncDisposable {
  readonly calls: { readonly operation: string; readonly input: Input }[] = []
  /** Whether shards are listed with the range of their keys, as by AWS. */
  tellsHashKeys = true
  readonly #shards = new Map<string, FakeShard>()
  readonly #consumers = new Map<string, 'CREATING' | 'ACTIVE'>()
  readonly #refusals: { readonly operation: string; readonly exception: string }[] = []
  readonly #subscriptions = new Set<Subscription>()
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  /** One for each protocol. */
  readonly #inner: readonly Server[]
  #sequence = 0

  private constructor() {
    const http = createHttpServer((request, response) => {
      void text(request).then((body) => {
        const { status, answer } = this.#answer(operationOf(request.headers), JSON.parse(body))
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' })
        response.end(JSON.stringify(answer))
      })
    })
    const http2 = createHttp2Server()
    http2.on('stream', (stream, headers) => {
      stream.on('error', () => undefined)
      void text(stream).then((body) => this.#subscribe(stream, headers, JSON.parse(body)))
    })
    this.#inner = [http, http2]
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => this.#sockets.delete(socket))
      socket.once('data', (beginning) => {
        const isHttp2 = beginning.toString('latin1').startsWith('PRI')
        const inner = connect(portOf(isHttp2 ? http2 : http), '127.0.0.1')
        inner.on('error', () => undefined)
        inner.write(beginning)
        socket.pipe(inner).pipe(socket)
        socket.once('close', () => inner.destroy())
      })
    })
  }

  static async start(): Promise<FakeKinesis> {
    const kinesis = new FakeKinesis()
    for (const server of [...kinesis.#inner, kinesis.#server]) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    }
    return kinesis
  }

  get endpoint(): string {
    return `http://127.0.0.1:${portOf(this.#server)}`
  }

  get subscriptionCount(): number {
    return this.#subscriptions.size
  }

  countOf(operation: string): number {
    return this.calls.filter((call) => call.operation === operation).length
  }

  addShard(shardId: string, parent?: string): void {
    this.#shards.set(shardId, { parent, records: [], closed: false })
  }

  put(shardId: string, records: readonly (string | Buffer)[], arrivedAtMs = Date.now()): void {
    for (const record of records) {
      this.#sequence += 1
      const Data = Buffer.from(record).toString('base64')
      this.#shard(shardId).records.push({ sequence: this.#sequence, Data, arrivedAtMs })
    }
    this.#push()
  }

  close(shardId: string): void {
    this.#shard(shardId).closed = true
    this.#push()
  }

  /** The retention of its first records has passed. */
  trim(shardId: string, count: number): void {
    this.#shard(shardId).records.splice(0, count)
  }

  removeShard(shardId: string): void {
    this.#shards.delete(shardId)
  }

  /** So many of the next calls fail so. */
  refuse(operation: string, exception: string, times = 1): void {
    for (let count = 0; count < times; count += 1) this.#refusals.push({ operation, exception })
  }

  /** As after five minutes. */
  endSubscriptions(): void {
    for (const { stream } of this.#subscriptions) stream.end()
    this.#subscriptions.clear()
  }

  failSubscriptions(exception: string): void {
    for (const { stream } of this.#subscriptions) {
      stream.end(exceptionMessage(exception, { message: 'On demand' }))
    }
    this.#subscriptions.clear()
  }

  breakConnections(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#subscriptions.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const servers = [this.#server, ...this.#inner]
    const closed = servers.map((server) => once(server, 'close'))
    for (const server of servers) server.close()
    this.breakConnections()
    await Promise.all(closed)
  }

  #shard(shardId: string): FakeShard {
    const shard = this.#shards.get(shardId)
    if (shard === undefined) throw new Error(`Cannot find ${shardId}`)
    return shard
  }

  #answer(operation: string, input: Input): { status: number; answer: object } {
    this.calls.push({ operation, input })
    const exception = this.#refusal(operation)
    if (exception !== undefined) return failure(exception)
    switch (operation) {
      case 'ListShards':
        return this.#listed(input)
      case 'GetShardIterator':
        return { status: 200, answer: { ShardIterator: this.#iterator(input) } }
      case 'GetRecords':
        return { status: 200, answer: this.#records(String(input['ShardIterator'])) }
      case 'RegisterStreamConsumer':
        this.#consumers.set(String(input['ConsumerName']), 'CREATING')
        return { status: 200, answer: { Consumer: { ConsumerStatus: 'CREATING' } } }
      case 'DescribeStreamConsumer':
        return this.#consumer(String(input['ConsumerName']))
      default:
        return failure('UnknownOperationException')
    }
  }

  #refusal(operation: string): string | undefined {
    const index = this.#refusals.findIndex((one) => one.operation === operation)
    return index < 0 ? undefined : this.#refusals.splice(index, 1)[0]?.exception
  }

  /** One shard a page; a token stands for the stream, which may not be named beside it. */
  #listed({ NextToken, StreamName }: Input): { status: number; answer: object } {
    const isFirst = NextToken === undefined
    if (isFirst === (StreamName === undefined)) return failure('InvalidArgumentException')
    const at = isFirst ? 0 : Number(NextToken)
    const Shards = [...this.#shards].slice(at, at + 1).map(([ShardId, { parent }]) => ({
      ShardId,
      ParentShardId: parent,
      ...(this.tellsHashKeys && {
        HashKeyRange: { StartingHashKey: '0', EndingHashKey: String(KEYS_END) },
      }),
      SequenceNumberRange: { StartingSequenceNumber: '0' },
    }))
    const next = at + 1 < this.#shards.size ? String(at + 1) : undefined
    return { status: 200, answer: { Shards, NextToken: next } }
  }

  #iterator(input: Input): string {
    const { ShardId, ShardIteratorType, StartingSequenceNumber, Timestamp } = input
    const from = this.#from(String(ShardId), ShardIteratorType, StartingSequenceNumber, Timestamp)
    return `${String(ShardId)}/${from}`
  }

  #from(shardId: string, type: unknown, sequence: unknown, seconds: unknown): number {
    if (type === 'AT_SEQUENCE_NUMBER') return Number(sequence)
    if (type === 'AFTER_SEQUENCE_NUMBER') return Number(sequence) + 1
    if (type === 'TRIM_HORIZON') return 0
    const { records } = this.#shard(shardId)
    const first = records.find(({ arrivedAtMs }) => arrivedAtMs >= Number(seconds) * 1_000)
    return first?.sequence ?? this.#sequence + 1
  }

  #records(iterator: string): object {
    const [shardId = '', from] = iterator.split('/')
    const { Records, next, over } = this.#page(shardId, Number(from))
    return {
      Records,
      MillisBehindLatest: 0,
      NextShardIterator: over ? undefined : `${shardId}/${next}`,
    }
  }

  #page(shardId: string, from: number): { Records: object[]; next: number; over: boolean } {
    const { records, closed } = this.#shard(shardId)
    const page = records.filter(({ sequence }) => sequence >= from)
    return {
      Records: page.map(({ sequence, Data, arrivedAtMs }) => ({
        SequenceNumber: String(sequence),
        PartitionKey: 'key',
        Data,
        ApproximateArrivalTimestamp: arrivedAtMs / 1_000,
      })),
      next: (page.at(-1)?.sequence ?? from - 1) + 1,
      over: closed,
    }
  }

  #consumer(name: string): { status: number; answer: object } {
    const ConsumerStatus = this.#consumers.get(name)
    if (ConsumerStatus === undefined) return failure('ResourceNotFoundException')
    this.#consumers.set(name, 'ACTIVE')
    const ConsumerARN = `consumer/${name}`
    return { status: 200, answer: { ConsumerDescription: { ConsumerARN, ConsumerStatus } } }
  }

  #subscribe(stream: ServerHttp2Stream, headers: object, input: Input): void {
    const operation = operationOf(headers)
    this.calls.push({ operation, input })
    const exception = this.#refusal(operation)
    if (exception !== undefined) {
      stream.respond({ ':status': 400, 'content-type': 'application/x-amz-json-1.1' })
      stream.end(JSON.stringify({ __type: exception, message: 'On demand' }))
      return
    }
    const { Type, SequenceNumber, Timestamp } = input['StartingPosition'] as Input
    const shardId = String(input['ShardId'])
    const from = this.#from(shardId, Type, SequenceNumber, Timestamp)
    const subscription = { shardId, stream, from }
    this.#subscriptions.add(subscription)
    stream.once('close', () => this.#subscriptions.delete(subscription))
    stream.respond({ ':status': 200, 'content-type': 'application/vnd.amazon.eventstream' })
    stream.write(eventMessage('initial-response', {}))
    this.#push()
  }

  #push(): void {
    for (const subscription of this.#subscriptions) {
      const { shardId, stream, from } = subscription
      const { Records, next, over } = this.#page(shardId, from)
      subscription.from = next
      const event = {
        Records,
        MillisBehindLatest: 0,
        ContinuationSequenceNumber: over ? undefined : String(next - 1),
      }
      stream.write(eventMessage('SubscribeToShardEvent', event))
      if (!over) continue
      stream.end()
      this.#subscriptions.delete(subscription)
    }
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

function operationOf(headers: object): string {
  return String((headers as Input)['x-amz-target']).split('.')[1] ?? ''
}

function failure(exception: string): { status: number; answer: object } {
  return { status: 400, answer: { __type: exception, message: 'On demand' } }
}
