import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { BufferPool } from '../../src/base/buffer-pool.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { silentLogger } from '../../src/base/logger.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { StoredChunk } from '../../src/batch-store.ts'
import { chunkOf } from '../../src/chunk.ts'
import { NO_CONNECTIONS } from '../../src/connections.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type {
  BatchRecord,
  DeliverJob,
  Destination,
  DestinationType,
  EncodedOutput,
  EncodeJob,
} from '../../src/destination.ts'
import type { FrozenOutput } from '../../src/manifest.ts'
import type { ObjectStore, PutObject } from '../../src/object-store.ts'
import { openSpool } from '../../src/objects/spool.ts'
import { openSearch } from './index.ts'

const BATCH_ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV'
const NOON = Date.UTC(2026, 10, 21, 12)
const ROLE = 'arn:aws:iam::000000000000:role/delivery'
const S3 = { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::failed', Prefix: 'p/' }

const [service, elasticsearch, serverless] = openSearch as [
  DestinationType,
  DestinationType,
  DestinationType,
]

function streamOf(members: JsonObject = {}, type = service): DeliveryStream {
  const endpoint = type === serverless ? 'CollectionEndpoint' : 'ClusterEndpoint'
  const given = {
    RoleARN: ROLE,
    IndexName: 'logs',
    S3Configuration: S3,
    [endpoint]: 'http://127.0.0.1:9',
    ...members,
  }
  return {
    streamId: 'stream-id',
    name: 'web',
    arn: 'arn:aws:firehose:us-east-1:000000000000:deliverystream/web',
    status: 'ACTIVE',
    type: 'DirectPut',
    createdAtMs: 0,
    versionId: 4,
    revision: 1,
    tags: [],
    encryption: { status: 'DISABLED' },
    destinationType: type.name,
    destination: type.create(type.configurationMembers[0] ?? '', given, {
      strictAws: false,
      objectStoreKind: 's3',
    }),
  }
}

function batchOf(recordCount: number): SealedBatch {
  return {
    batchId: BATCH_ID,
    streamId: 'stream-id',
    recordCount,
    dataBytes: 0,
    storedBytes: 0,
    firstArrivalMs: NOON,
    lastArrivalMs: NOON,
    sealedAtMs: NOON,
    sealReason: 'age',
  }
}

async function* each(chunks: readonly StoredChunk[]): AsyncGenerator<StoredChunk> {
  yield* chunks
}

class RecordingStore implements ObjectStore {
  readonly description = 'memory'
  readonly keys: string[] = []
  put({ key }: PutObject): Promise<void> {
    this.keys.push(key)
    return Promise.resolve()
  }
  close(): Promise<void> {
    return Promise.resolve()
  }
}

function openDestination(
  type = service,
  objectStore: ObjectStore = new RecordingStore(),
): Destination {
  const connections = NO_CONNECTIONS
  const context = { objectStore, connections, clock: systemClock, logger: silentLogger }
  const destination = type.open(context)
  onTestFinished(() => destination.close())
  return destination
}

async function encode(
  stream: DeliveryStream,
  chunks: readonly StoredChunk[],
): Promise<readonly EncodedOutput[]> {
  const job: EncodeJob = {
    batch: batchOf(chunks.reduce((sum, { recordCount }) => sum + recordCount, 0)),
    stream,
    chunks: each(chunks),
    frozen: undefined,
    openSpool: () =>
      openSpool({
        directory: '/nonexistent',
        clock: systemClock,
        buffers: new BufferPool(),
        encrypt: false,
      }),
  }
  return openDestination().encode(job)
}

function frozenOutput({ content: _content, ...output }: EncodedOutput): FrozenOutput {
  return { ...output, sizeBytes: 0, sha256: '', formerSha256s: [] }
}

describe('a batch becomes bulk requests', () => {
  const chunk: StoredChunk = {
    ...chunkOf([Buffer.from('{"a":1}'), Buffer.from('{"b":1}')], NOON),
    firstOrdinal: 0,
  }
  const documents = {
    kind: 'documents',
    target: { index: 'logs-2026-11-21', documentIds: 'FIREHOSE_DEFAULT' },
    accounting: 'delivered',
    recordCount: 2,
    range: { from: 0, to: 2 },
  }

  test('and nothing else by default', async () => {
    expect(await encode(streamOf(), [chunk])).toEqual([documents])
  })

  test('and a backup of all of it where that is asked for', async () => {
    const [backup, ...others] = await encode(streamOf({ S3BackupMode: 'AllDocuments' }), [chunk])
    expect(backup).toMatchObject({ kind: 's3-backup', accounting: 'copy', recordCount: 2 })
    expect(await backup?.content?.read(0, 14)).toEqual(Buffer.from('{"a":1}{"b":1}'))
    expect(others).toEqual([documents])
  })

  test('but to nothing when all of it is lost', async () => {
    expect(await encode(streamOf({ S3BackupMode: 'AllDocuments' }), [])).toEqual([])
  })
})

/** Answers a bulk request by its lines. */
type Bulk = (lines: readonly string[]) => { status: number; items?: readonly JsonObject[] }

async function startBulkServer(bulk: Bulk): Promise<{ endpoint: string; bodies: string[] }> {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push(body)
      const { status, items } = bulk(body.split('\n').slice(0, -1))
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ items }))
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => void server.close(resolve))
  })
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies }
}

const allCreated: Bulk = (lines) => ({
  status: 200,
  items: Array.from({ length: lines.length / 2 }, () => ({ create: { status: 201 } })),
})

/** One group a record, whose memory is used again for the next. */
async function* grouped(records: readonly (string | Buffer)[]): AsyncGenerator<BatchRecord[]> {
  const memory = Buffer.alloc(10_000)
  for (const [ordinal, record] of records.entries()) {
    memory.fill(0)
    const length = Buffer.from(record).copy(memory)
    yield [{ ordinal, arrivalMs: NOON, data: memory.subarray(0, length) }]
  }
}

function deliverJob(
  stream: DeliveryStream,
  records: readonly (string | Buffer)[],
  target: JsonObject = { index: 'logs', documentIds: 'FIREHOSE_DEFAULT' },
): DeliverJob {
  return {
    batch: batchOf(records.length),
    output: { kind: 'documents', target, accounting: 'delivered', recordCount: records.length },
    stream,
    currentStream: stream,
    formerSha256s: [],
    earlierAttempts: 0,
    records: () => grouped(records),
    signal: new AbortController().signal,
  }
}

describe('a bulk request', () => {
  test('names index and id for each record', async () => {
    const { endpoint, bodies } = await startBulkServer(allCreated)
    const stream = streamOf({ ClusterEndpoint: endpoint })
    const records = ['{"a":1}', ' {"b":"é"}\r\n']
    expect(await openDestination().deliver(deliverJob(stream, records))).toEqual([])
    expect(bodies).toEqual([
      [
        `{"create":{"_index":"logs","_id":"${BATCH_ID}00000000"}}`,
        '{"a":1}',
        `{"create":{"_index":"logs","_id":"${BATCH_ID}00000001"}}`,
        '{"b":"é"}',
        '',
      ].join('\n'),
    ])
  })

  test('names the type, and no id, where that is configured', async () => {
    const { endpoint, bodies } = await startBulkServer(allCreated)
    const stream = streamOf({ ClusterEndpoint: endpoint })
    const target = { index: 'logs', type: 'event', documentIds: 'NO_DOCUMENT_ID' }
    await openDestination().deliver(deliverJob(stream, ['{"a":1}'], target))
    expect(bodies).toEqual(['{"index":{"_index":"logs","_type":"event"}}\n{"a":1}\n'])
  })

  test('leaves out what cannot be a document', async () => {
    const { endpoint, bodies } = await startBulkServer(allCreated)
    const stream = streamOf({ ClusterEndpoint: endpoint })
    const records = [
      '',
      '{"a":\n1}',
      '[1]',
      'text',
      Buffer.from('{"a":"\xff"}', 'latin1'),
      '{"delete":{"_index":"logs"}}\n{"b":1}',
      '{"good":1}',
    ]
    const failures = await openDestination().deliver(deliverJob(stream, records))
    expect(failures.map(({ ordinal }) => ordinal)).toEqual([0, 1, 2, 3, 4, 5])
    expect(
      new Set(failures.map(({ ordinal: _ordinal, ...failure }) => failure.errorMessage)),
    ).toEqual(new Set(['Cannot index: the record is not a JSON object on a single line of UTF-8']))
    expect(failures[0]).toMatchObject({ errorCode: '400', retryable: false, effect: 'none' })
    expect(bodies[0]?.split('\n')[1]).toBe('{"good":1}')
  })

  test('is not sent when there is nothing to send', async () => {
    const stream = streamOf()
    expect(await openDestination().deliver(deliverJob(stream, ['text']))).toHaveLength(1)
  })

  test('that is too large is sent in halves, down to the record that is', async () => {
    const { endpoint, bodies } = await startBulkServer((lines) =>
      lines.join('').length > 150 ? { status: 413 } : allCreated(lines),
    )
    const stream = streamOf({ ClusterEndpoint: endpoint })
    const records = ['{"a":1}', '{"b":1}', `{"c":"${'x'.repeat(200)}"}`]
    expect(await openDestination().deliver(deliverJob(stream, records))).toEqual([
      {
        ordinal: 2,
        errorCode: '413',
        errorMessage: 'Cannot index: the document is too large for the server',
        retryable: false,
        effect: 'none',
      },
    ])
    expect(bodies.map((body) => body.split('\n').length >> 1)).toEqual([3, 2, 1, 1, 1])
  })

  test('whose second half fails has delivered the first', async () => {
    const { endpoint } = await startBulkServer((lines) => {
      if (lines.length > 2) return { status: 413 }
      return lines[1] === '{"a":1}' ? allCreated(lines) : { status: 503 }
    })
    const stream = streamOf({ ClusterEndpoint: endpoint })
    expect(await openDestination().deliver(deliverJob(stream, ['{"a":1}', '{"b":1}']))).toEqual([
      {
        ordinal: 1,
        errorCode: '503',
        errorMessage: 'Cannot index: status 503',
        retryable: true,
        effect: 'unknown',
      },
    ])
  })
})

test('the backup goes to the bucket', async () => {
  const store = new RecordingStore()
  const stream = streamOf({ S3BackupMode: 'AllDocuments' })
  const [backup] = await encode(stream, [
    { ...chunkOf([Buffer.from('{}')], NOON), firstOrdinal: 0 },
  ])
  const job = { ...deliverJob(stream, []), output: backup as EncodedOutput }
  expect(await openDestination(service, store).deliver(job)).toEqual([])
  expect(store.keys).toEqual([expect.stringMatching(/^p\/2026\/11\/21\/12\/web-4-/)])
})

describe('what was refused is told', () => {
  const target = { index: 'logs-2026', documentIds: 'FIREHOSE_DEFAULT' }
  const output = frozenOutput({
    kind: 'documents',
    target,
    accounting: 'delivered',
    recordCount: 1,
  })

  test.each([
    [
      service,
      'AmazonOpenSearchService-failed',
      { esDocumentId: `${BATCH_ID}00000007`, esIndexName: 'logs-2026', esTypeName: '' },
    ],
    [
      elasticsearch,
      'elasticsearch-failed',
      { esDocumentId: `${BATCH_ID}00000007`, esIndexName: 'logs-2026', esTypeName: '' },
    ],
    [
      serverless,
      'AmazonOpenSearchService-failed',
      { osDocumentId: `${BATCH_ID}00000007`, osIndexName: 'logs-2026' },
    ],
  ])('%# as AWS tells it', (type, errorOutputType, members) => {
    const stream = streamOf({ RetryOptions: { DurationInSeconds: 7 } }, type)
    const policy = openDestination(type).failurePolicy?.(stream)
    expect(policy).toMatchObject({ retryDurationMs: 7_000, atLeastOnce: false, errorOutputType })
    expect(policy?.errorMembers(7, output, batchOf(8))).toEqual(members)
  })

  test('without ids delivery is at least once', () => {
    const options = { DocumentIdOptions: { DefaultDocumentIdFormat: 'NO_DOCUMENT_ID' } }
    const policy = openDestination().failurePolicy?.(streamOf(options))
    expect(policy?.atLeastOnce).toBe(true)
    const nameless = { ...output, target: { index: 'logs', documentIds: 'NO_DOCUMENT_ID' } }
    expect(policy?.errorMembers(7, nameless, batchOf(8))).toEqual({
      esDocumentId: '',
      esIndexName: 'logs',
      esTypeName: '',
    })
  })
})
