/**
 * What every destination has to do with a server that works, fails, is gone, or answers into the void:
 * one suite for all, with the real service before the real server and a proxy between the two.
 *
 * At the end of each test every record is at the destination once or in the error output once, and the
 * books balance. A destination that is only at-least-once may have repeats, which are counted.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { FaultProxy } from '../fakes/fault-proxy.ts'
import { balanced, readBooks, settledBooks } from './books.ts'
import { eventually, Service } from './harness.ts'
import type { HttpClient } from './http-client.ts'
import { Ledger } from './ledger.ts'
import { decompressed, folderObjects } from './objects.ts'

export interface StreamPlace {
  readonly streamName: string
  /** Where the proxy is. */
  readonly port: number
  readonly retrySeconds: number
  readonly S3Configuration: JsonObject
}

export interface DestinationUnderTest {
  readonly name: string
  /** Of the server itself. */
  readonly port: number
  /** The one before all streams, where the service knows one address only; else each has its own. */
  readonly proxy?: FaultProxy
  /** Settings of the service beside the suite's own. */
  readonly environment?: Readonly<Record<string, string>>
  /** Makes what a stream writes into, e.g. its table. */
  prepare?(place: StreamPlace): Promise<void>
  /** Members of CreateDeliveryStream. Small buffers: an interval of 1 s. */
  create(place: StreamPlace): JsonObject
  /** Members of UpdateDestination that change something harmless. */
  update(place: StreamPlace): JsonObject
  /** Bytes in the request that has the effect, at its end if it is long. */
  readonly effectMarker: string
  /** A record that the destination takes, with the id in it. */
  record(id: string, padding: string): string
  /** A record that it refuses for good; absent: it refuses none by itself. */
  poison?(id: string): string
  /** Ids of the records at the destination, each as often as it is there. */
  delivered(place: StreamPlace): Promise<readonly string[]>
  readonly exactlyOnce: boolean
  /** It has no retry duration: records are tried for as long as the stream keeps them. */
  readonly neverGivesUp?: boolean
  readonly errorOutputType: string
}

const BATCH_COUNT_MAX = 500
const RETRY_SECONDS = 120
const ID_PATTERN = /id-\d+-\d+/

/** The id in a record, wherever the destination has put it. */
export function idIn(text: string): string {
  const id = ID_PATTERN.exec(text)?.[0]
  if (id === undefined) throw new Error(`Cannot find an id in ${text.slice(0, 200)}`)
  return id
}

export function describeDestination(open: () => Promise<DestinationUnderTest>): void {
  let destination: DestinationUnderTest
  let service: Service
  let client: HttpClient
  let streamCount = 0

  beforeAll(async () => {
    destination = await open()
    service = await Service.start({
      environment: {
        STANDPIPE_RETRY_BACKOFF_FIRST_MS: '50',
        STANDPIPE_RETRY_BACKOFF_MAX_MS: '300',
        ...destination.environment,
      },
    })
    client = service.client()
  })
  afterAll(async () => {
    client?.close()
    await service?.[Symbol.asyncDispose]()
    await destination?.proxy?.[Symbol.asyncDispose]()
  })

  async function openStream(retrySeconds = RETRY_SECONDS): Promise<TestedStream> {
    streamCount += 1
    const proxy = destination.proxy ?? (await FaultProxy.start(destination.port))
    const place: StreamPlace = {
      streamName: `conformance-${streamCount}`,
      port: proxy.port,
      retrySeconds,
      S3Configuration: {
        RoleARN: 'arn:aws:iam::000000000000:role/firehose',
        BucketARN: `arn:aws:s3:::errors-${streamCount}`,
        Prefix: 'failed/',
      },
    }
    await destination.prepare?.(place)
    const { streamName: DeliveryStreamName } = place
    await client.expect('CreateDeliveryStream', {
      DeliveryStreamName,
      ...destination.create(place),
    })
    const stream = new TestedStream({ destination, service, client, proxy, place, streamCount })
    await eventually(`${DeliveryStreamName} is active`, 10_000, () => stream.isActive())
    return stream
  }

  describe('conformance', () => {
    test('records arrive', async () => {
      await using stream = await openStream()
      await stream.put(25)
      expect(await stream.verdict()).toEqual(allDelivered(25))
    })

    test('10,000 small records, and a batch as large as the buffer', async () => {
      await using stream = await openStream()
      await stream.put(10_000)
      await stream.put(1_000, 'x'.repeat(1_000))
      expect(await stream.verdict()).toEqual(allDelivered(11_000))
    })

    test('a poison record goes to the error output, those beside it arrive', async (context) => {
      context.skip(destination.poison === undefined, 'it refuses no record by itself')
      await using stream = await openStream()
      await stream.put(10)
      await stream.putPoison(1)
      await stream.put(10)
      expect(await stream.verdict()).toEqual({ ...allDelivered(20), accepted: 21, errored: 1 })
    })

    test('nothing listens for a while: all arrive', async () => {
      await using stream = await openStream()
      await stream.proxy.become({ kind: 'closed' })
      await stream.put(20)
      await stream.hasFailed()
      await stream.proxy.become({ kind: 'pass' })
      expect(await stream.verdict()).toEqual(allDelivered(20))
    })

    test('nothing listens beyond the retry duration: all go to the error output', async (context) => {
      context.skip(destination.neverGivesUp === true, 'it has no retry duration')
      await using stream = await openStream(1)
      await stream.proxy.become({ kind: 'closed' })
      await stream.put(20)
      expect(await stream.verdict()).toEqual({ ...allDelivered(0), accepted: 20, errored: 20 })
    })

    test('a reply that never comes', async () => {
      await using stream = await openStream()
      await stream.proxy.become({ kind: 'hang' })
      await stream.put(20)
      await sleep(2_000)
      await stream.proxy.become({ kind: 'pass' })
      expect(await stream.verdict()).toEqual(allDelivered(20))
    })

    test('a reply that is lost after the effect', async () => {
      await using stream = await openStream()
      await stream.proxy.become({ kind: 'lose reply', marker: destination.effectMarker })
      await stream.put(20)
      await eventually(
        'a reply is lost',
        20_000,
        async () => stream.proxy.lostCount > 0 || undefined,
      )
      await stream.proxy.become({ kind: 'pass' })
      expect(await stream.verdict()).toEqual(allDelivered(20))
    })

    test('kill -9 again and again, while replies are lost', async () => {
      await using stream = await openStream()
      await stream.proxy.become({ kind: 'lose reply', marker: destination.effectMarker })
      for (const pauseMs of [900, 1_100, 1_300, 1_600]) {
        await stream.put(20)
        await sleep(pauseMs)
        await service.kill()
        await service.start()
      }
      await stream.proxy.become({ kind: 'pass' })
      expect(await stream.verdict()).toEqual(allDelivered(80))
    })

    test('an update while records are on their way', async () => {
      await using stream = await openStream()
      await stream.proxy.become({ kind: 'closed' })
      await stream.put(20)
      await stream.hasFailed()
      await stream.update()
      await stream.put(20)
      await stream.proxy.become({ kind: 'pass' })
      expect(await stream.verdict()).toEqual(allDelivered(40))
    })

    test('SIGTERM delivers what is buffered', async () => {
      await using stream = await openStream()
      await stream.put(20)
      expect(await service.terminate()).toBe(0)
      await service.start()
      expect(await stream.verdict()).toEqual(allDelivered(20))
    })
  })
}

interface Verdict {
  readonly accepted: number
  readonly delivered: number
  readonly errored: number
  readonly findings: readonly unknown[]
  readonly books: 'balanced' | object
}

function allDelivered(count: number): Verdict {
  return { accepted: count, delivered: count, errored: 0, findings: [], books: 'balanced' }
}

interface TestedStreamOptions {
  readonly destination: DestinationUnderTest
  readonly service: Service
  readonly client: HttpClient
  readonly proxy: FaultProxy
  readonly place: StreamPlace
  readonly streamCount: number
}

class TestedStream implements AsyncDisposable {
  readonly proxy: FaultProxy
  readonly #options: TestedStreamOptions
  readonly #ledger = new Ledger()
  #idCount = 0

  constructor(options: TestedStreamOptions) {
    this.proxy = options.proxy
    this.#options = options
  }

  async isActive(): Promise<true | undefined> {
    const { DeliveryStreamStatus } = await this.#describe()
    return DeliveryStreamStatus === 'ACTIVE' ? true : undefined
  }

  async put(recordCount: number, padding = ''): Promise<void> {
    for (let left = recordCount; left > 0; left -= BATCH_COUNT_MAX) {
      const ids = this.#newIds(Math.min(left, BATCH_COUNT_MAX))
      await this.#put(ids, (id) => this.#options.destination.record(id, padding))
    }
  }

  async putPoison(recordCount: number): Promise<void> {
    const { destination } = this.#options
    await this.#put(this.#newIds(recordCount), (id) => destination.poison?.(id) ?? '')
  }

  async update(): Promise<void> {
    const { client, destination, place } = this.#options
    const description = await this.#describe()
    await client.expect('UpdateDestination', {
      DeliveryStreamName: place.streamName,
      CurrentDeliveryStreamVersionId: description['VersionId'],
      DestinationId: 'destinationId-000000000001',
      ...destination.update(place),
    })
  }

  /** Resolves when a delivery has failed. */
  async hasFailed(): Promise<void> {
    const { client, place } = this.#options
    await eventually('an attempt fails', 20_000, async () => {
      const { body } = await client.get(`/streams/${place.streamName}`)
      return JSON.stringify(body).includes('LastFailure') ? true : undefined
    })
  }

  async verdict(): Promise<Verdict> {
    const { client, destination, place, service } = this.#options
    const books = await settledBooks(client, place.streamName)
    if (books.pending > 0) throw service.failure(`${books.pending} records stay pending`)
    const delivered = await destination.delivered(place)
    const errored = await this.#errored()
    const repeated = new Set(delivered)
    const counted = destination.exactlyOnce ? delivered : [...repeated]
    const { accepted } = await readBooks(client, place.streamName)
    return {
      accepted,
      delivered: books.delivered,
      errored: books.errored,
      findings: this.#ledger.findings([...counted, ...errored]).slice(0, 10),
      books: balanced(books) && books.delivered === counted.length ? 'balanced' : books,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#options.destination.proxy === undefined) await this.proxy[Symbol.asyncDispose]()
    else await this.proxy.become({ kind: 'pass' })
  }

  async #describe(): Promise<JsonObject> {
    const { client, place } = this.#options
    const answer = await client.expect('DescribeDeliveryStream', {
      DeliveryStreamName: place.streamName,
    })
    return answer['DeliveryStreamDescription'] as JsonObject
  }

  async #put(ids: readonly string[], record: (id: string) => string): Promise<void> {
    const { client, place } = this.#options
    const Records = ids.map((id) => ({ Data: Buffer.from(record(id)).toString('base64') }))
    const { status, body } = await client.call('PutRecordBatch', {
      DeliveryStreamName: place.streamName,
      Records,
    })
    this.#ledger.enter(ids, status, body)
  }

  #newIds(count: number): string[] {
    return Array.from({ length: count }, () => {
      this.#idCount += 1
      return `id-${this.#options.streamCount}-${this.#idCount}`
    })
  }

  async #errored(): Promise<string[]> {
    const { service, destination, streamCount } = this.#options
    const folder = join(service.dataDir, 'buckets', `errors-${streamCount}`)
    const objects = await folderObjects(folder)
    const failed = objects.filter(({ key }) =>
      key.startsWith(`failed/${destination.errorOutputType}/`),
    )
    return failed.flatMap((object) => {
      const lines = decompressed(object).toString().split('\n').slice(0, -1)
      return lines.map((line) => {
        const { rawData } = JSON.parse(line) as { rawData: string }
        return idIn(Buffer.from(rawData, 'base64').toString())
      })
    })
  }
}
