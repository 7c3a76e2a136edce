/** Single attempts at a real OpenSearch, as the engine would make them: what it answers, and why. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openSearch } from '../../destinations/opensearch/index.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { BatchIds } from '../../src/batch.ts'
import type { SealedBatch } from '../../src/batch.ts'
import { NO_CONNECTIONS } from '../../src/connections.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { BatchRecord, DeliverJob, RecordFailure } from '../../src/destination.ts'
import { FolderObjectStore } from '../../src/objects/folder-object-store.ts'
import { encodeRecordId } from '../../src/record.ts'
import { available } from '../clients/available.ts'
import { FaultProxy } from '../fakes/fault-proxy.ts'
import { freePort } from '../servers/process.ts'
import { installOpenSearch, startOpenSearch } from '../servers/opensearch.ts'
import type { OpenSearchServer } from '../servers/opensearch.ts'

const WHAT = 'JDK of version 17 or later and Maven, for OpenSearch'

const isPresent = available(WHAT, await installOpenSearch())

describe.runIf(isPresent)('OpenSearch', () => {
  let server: OpenSearchServer
  beforeAll(async () => {
    server = await startOpenSearch()
  })
  afterAll(async () => server?.[Symbol.asyncDispose]())

  test('a record that does not fit the mapping is refused, those beside it arrive', async () => {
    const bulk = new Bulk(server.endpoint, 'mapped')
    await server.call('PUT', '/mapped', { mappings: { properties: { n: { type: 'long' } } } })
    const records = ['{"n":1}', '{"n":"many"}', '{"n":3}', '{"n":4}{"n":5}', '{"n":']
    const failures = await bulk.deliver(records)
    expect(failures.map(shortly)).toEqual([
      'refused 4: 400 Cannot index: the record is not a JSON object on a single line of UTF-8',
      expect.stringMatching(/^refused 1: 400 Cannot index: mapper_parsing_exception: .*\[n\]/),
      expect.stringMatching(/^refused 3: 400 Cannot index: mapper_parsing_exception: /),
    ])
    expect(await bulk.arrivedAt(server)).toEqual(bulk.ids(0, 2))
  })

  test('a repeat of what has arrived changes nothing, and takes what is missing', async () => {
    const bulk = new Bulk(server.endpoint, 'repeated')
    expect(await bulk.deliver(['{"n":1}', '{"n":2}'])).toEqual([])
    expect(await bulk.deliver(['{"n":1}', '{"n":2}', '{"n":3}'])).toEqual([])
    expect(await bulk.arrivedAt(server)).toEqual(bulk.ids(0, 1, 2))
  })

  test('a reply that is lost leaves the effect unknown, and a repeat finds it', async () => {
    await using proxy = await FaultProxy.start(server.port)
    const bulk = new Bulk(`http://127.0.0.1:${proxy.port}`, 'lost')
    await proxy.become({ kind: 'lose reply', marker: 'POST /_bulk' })
    await expect(bulk.deliver(['{"n":1}'])).rejects.toMatchObject({
      errorCode: 'OS.ConnectionFailed',
      retryable: true,
      effect: 'unknown',
      brake: false,
    })
    await proxy.become({ kind: 'pass' })
    expect(await bulk.deliver(['{"n":1}'])).toEqual([])
    expect(await bulk.arrivedAt(server)).toEqual(bulk.ids(0))
  })

  test('without document ids the same makes two documents, as is told', async () => {
    await using proxy = await FaultProxy.start(server.port)
    const bulk = new Bulk(`http://127.0.0.1:${proxy.port}`, 'nameless', 'NO_DOCUMENT_ID')
    await proxy.become({ kind: 'lose reply', marker: 'POST /_bulk' })
    await expect(bulk.deliver(['{"n":1}'])).rejects.toMatchObject({ effect: 'unknown' })
    await proxy.become({ kind: 'pass' })
    expect(await bulk.deliver(['{"n":1}'])).toEqual([])
    expect(await bulk.arrivedAt(server)).toHaveLength(2)
  })

  test('nothing listens', async () => {
    const bulk = new Bulk(`http://127.0.0.1:${await freePort()}`, 'nowhere')
    await expect(bulk.deliver(['{"n":1}'])).rejects.toMatchObject({
      errorCode: 'OS.ConnectionFailed',
      retryable: true,
      effect: 'none',
      brake: false,
    })
  })

  test('a data stream takes each record once', async () => {
    const template = { index_patterns: ['stream*'], data_stream: {} }
    await server.call('PUT', '/_index_template/stream', template)
    const bulk = new Bulk(server.endpoint, 'stream')
    const record = JSON.stringify({ '@timestamp': '2026-11-21T12:00:00Z', n: 1 })
    expect(await bulk.deliver([record])).toEqual([])
    const failures = await bulk.deliver([record, '{"n":2}'])
    expect(failures.map(shortly)).toEqual([expect.stringMatching(/^refused 1: 400 .*@timestamp/)])
    const documents = await server.documents('stream')
    expect(documents.map(({ _id }) => _id)).toEqual(bulk.ids(0))
    expect(documents[0]?._index).toMatch(/^\.ds-stream-/)
  })

  test.each([
    ['read_only', { 'index.blocks.read_only': true }, '403'],
    ['write', { 'index.blocks.write': true }, '403'],
  ])('an index that is blocked (%s) brakes', async (name, settings, errorCode) => {
    const index = `blocked-${name}`
    await server.call('PUT', `/${index}`)
    await server.call('PUT', `/${index}/_settings`, settings)
    const bulk = new Bulk(server.endpoint, index)
    await expect(bulk.deliver(['{"n":1}', '{"n":2}'])).rejects.toMatchObject({
      errorCode,
      retryable: true,
      effect: 'none',
      brake: true,
    })
  })

  test('an index that is closed brakes, and takes the records when it is open again', async () => {
    await server.call('PUT', '/closed')
    await server.call('POST', '/closed/_close')
    const bulk = new Bulk(server.endpoint, 'closed')
    await expect(bulk.deliver(['{"n":1}'])).rejects.toMatchObject({ errorCode: '400', brake: true })
    await server.call('POST', '/closed/_open?wait_for_active_shards=1')
    expect(await bulk.deliver(['{"n":1}'])).toEqual([])
    expect(await bulk.arrivedAt(server)).toEqual(bulk.ids(0))
  })

  test('a request that the server does not take brakes: no types in this version', async () => {
    const bulk = new Bulk(server.endpoint, 'typed', 'FIREHOSE_DEFAULT', 'event')
    await expect(bulk.deliver(['{"n":1}'])).rejects.toMatchObject({
      errorCode: '400',
      message: expect.stringContaining('_type'),
      retryable: true,
      effect: 'none',
      brake: true,
    })
  })
})

describe.runIf(isPresent)('a small OpenSearch', () => {
  test('that is overloaded refuses with 429, and what it refused is tried again', async () => {
    await using small = await startOpenSearch('indexing_pressure.memory.limit=20kb')
    const bulk = new Bulk(small.endpoint, 'pressed')
    const large = `{"text":"${'x'.repeat(30_000)}"}`
    await expect(bulk.deliver([large])).rejects.toMatchObject({
      errorCode: '429',
      retryable: true,
      effect: 'none',
      brake: false,
    })
    expect(await bulk.deliver(['{"text":"short"}'])).toEqual([])
  })

  test('that takes small requests only gets small ones', async () => {
    await using small = await startOpenSearch('http.max_content_length=100kb')
    const bulk = new Bulk(small.endpoint, 'halved')
    const records = Array.from({ length: 10 }, () => `{"text":"${'x'.repeat(30_000)}"}`)
    records.push(`{"text":"${'x'.repeat(200_000)}"}`)
    expect((await bulk.deliver(records)).map(shortly)).toEqual([
      'refused 10: 413 Cannot index: the document is too large for the server',
    ])
    expect(await small.documents('halved')).toHaveLength(10)
  })
})

function shortly({ ordinal, errorCode, errorMessage, retryable }: RecordFailure): string {
  return `${retryable ? 'failed' : 'refused'} ${ordinal}: ${errorCode} ${errorMessage}`
}

/** Attempts at one output of one batch, without the engine. */
class Bulk {
  readonly #index: string
  readonly #target: JsonObject
  readonly #stream: DeliveryStream
  readonly #batchId = new BatchIds(systemClock).next()

  constructor(
    ClusterEndpoint: string,
    index: string,
    documentIds: 'FIREHOSE_DEFAULT' | 'NO_DOCUMENT_ID' = 'FIREHOSE_DEFAULT',
    type?: string,
  ) {
    this.#index = index
    this.#target = { index, documentIds, ...(type !== undefined && { type }) }
    this.#stream = {
      streamId: 'stream-id',
      name: index,
      arn: `arn:aws:firehose:us-east-1:000000000000:deliverystream/${index}`,
      status: 'ACTIVE',
      type: 'DirectPut',
      createdAtMs: 0,
      versionId: 1,
      revision: 1,
      tags: [],
      encryption: { status: 'DISABLED' },
      destinationType: 'AmazonOpenSearchService',
      destination: { ClusterEndpoint, IndexName: index },
    }
  }

  async deliver(records: readonly string[]): Promise<readonly RecordFailure[]> {
    const [type] = openSearch
    if (type === undefined) throw new Error('Cannot test: no type')
    const destination = type.open({
      objectStore: new FolderObjectStore({ root: '/nonexistent', clock: systemClock }),
      connections: NO_CONNECTIONS,
      clock: systemClock,
      logger: silentLogger,
    })
    onTestFinished(() => destination.close())
    return destination.deliver(this.#job(records))
  }

  /** Ids of what is in the index, in order. */
  async arrivedAt(server: OpenSearchServer): Promise<readonly string[]> {
    const documents = await server.documents(this.#index)
    return documents.map(({ _id }) => _id).toSorted()
  }

  ids(...ordinals: readonly number[]): readonly string[] {
    return ordinals.map((ordinal) => encodeRecordId(this.#batchId, ordinal))
  }

  #job(records: readonly string[]): DeliverJob {
    const recordCount = records.length
    const batch: SealedBatch = {
      batchId: this.#batchId,
      streamId: 'stream-id',
      recordCount,
      dataBytes: 0,
      storedBytes: 0,
      firstArrivalMs: 0,
      lastArrivalMs: 0,
      sealedAtMs: 0,
      sealReason: 'age',
    }
    async function* eachRecord(): AsyncGenerator<BatchRecord[]> {
      for (const [ordinal, record] of records.entries()) {
        yield [{ ordinal, arrivalMs: 0, data: Buffer.from(record) }]
      }
    }
    return {
      batch,
      output: { kind: 'documents', target: this.#target, accounting: 'delivered', recordCount },
      stream: this.#stream,
      currentStream: this.#stream,
      formerSha256s: [],
      earlierAttempts: 0,
      records: eachRecord,
      signal: new AbortController().signal,
    }
  }
}
