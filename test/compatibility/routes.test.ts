import { setImmediate as nextTurn } from 'node:timers/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { recordsOf } from '../../src/chunk.ts'
import { LocalQueue } from '../../src/embedded/local-queue.ts'
import { enqueueBacklog } from '../../src/pipeline/backlog.ts'
import { StreamRegistry } from '../../src/pipeline/stream-registry.ts'
import { encodeRecordId } from '../../src/record.ts'
import { ApiUnderTest, NOW_MS, refusalOf } from './api-under-test.ts'
import { batchInput, createInput } from './requests.ts'

const RECORDS = '/streams/{name}/records'
const LOGS = { name: 'logs' }

async function openWithStream(quotaBytes = 64 * 1024 * 1024): Promise<ApiUnderTest> {
  const api = await ApiUnderTest.open({ quotaBytes })
  await api.call('CreateDeliveryStream', createInput('logs'))
  return api
}

async function stored(api: ApiUnderTest): Promise<readonly string[]> {
  await api.route('POST', '/streams/{name}/flush', LOGS)
  const records: string[] = []
  for (const batch of api.sealed) {
    for await (const chunk of api.context.store.read(batch)) {
      for (const record of recordsOf(chunk)) records.push(record.toString())
    }
  }
  return records
}

test.for([
  ['text/plain', undefined, Buffer.from('{"a": 1}\n[2]\n')],
  ['application/x-ndjson', 'gzip', gzipSync('{"a": 1}\n\n[2]')],
  ['application/json', 'zstd', zstdCompressSync('[ {"a": 1}, [2] ]')],
  ['application/x-www-form-urlencoded', 'identity', Buffer.from('{"a": 1}\n[2]')],
] as const)('records are taken from %s in %s', async ([contentType, encoding, body]) => {
  await using api = await openWithStream()
  const headers = {
    'content-type': contentType,
    ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
  }
  const { statusCode, body: answer } = await api.route('POST', RECORDS, LOGS, { headers, body })
  const { batchId } = await api.openBatch('logs')
  expect({ statusCode, answer }).toEqual({
    statusCode: 200,
    answer: {
      AcceptedCount: 2,
      RecordIds: [encodeRecordId(batchId, 0), encodeRecordId(batchId, 1)],
    },
  })
  expect(await stored(api)).toEqual(['{"a": 1}', '[2]'])
})

test('a long body is taken in several writes and keeps its order', async () => {
  await using api = await openWithStream()
  const lines = Array.from({ length: 1_234 }, (_, index) => `line ${index}`)
  const body = lines.join('\n')
  const { body: answer } = await api.route('POST', RECORDS, LOGS, { body })
  expect(new Set((answer as { RecordIds: string[] }).RecordIds).size).toBe(1_234)
  expect(await stored(api)).toEqual(lines)
  expect(api.puts.map(({ operation, recordCount }) => [operation, recordCount])).toEqual([
    ['HttpRecords', 500],
    ['HttpRecords', 500],
    ['HttpRecords', 234],
  ])
})

test('records together beyond 4 MiB are taken in several writes', async () => {
  await using api = await openWithStream()
  const lines = Array.from({ length: 7 }, () => 'x'.repeat(1_000_000))
  await api.route('POST', RECORDS, LOGS, { body: lines.join('\n') })
  expect(api.puts.map(({ recordCount }) => recordCount)).toEqual([4, 3])
})

test('no records are no mistake', async () => {
  await using api = await openWithStream()
  expect(await api.route('POST', RECORDS, LOGS)).toEqual({
    statusCode: 200,
    body: { AcceptedCount: 0, RecordIds: [] },
  })
})

test('when room ends half-way, the answer lists what was taken', async () => {
  await using api = await openWithStream(3_000_000)
  const lines = Array.from({ length: 3_000 }, (_, index) => `${index} ${'x'.repeat(2_000)}`)
  const { statusCode, body } = await api.route('POST', RECORDS, LOGS, { body: lines.join('\n') })
  const { AcceptedCount, RecordIds, ...error } = body as JsonObject
  expect({ statusCode, error }).toEqual({
    statusCode: 503,
    error: { __type: 'ServiceUnavailableException', message: 'Slow down.' },
  })
  expect(AcceptedCount).toBeGreaterThan(0)
  expect(RecordIds).toHaveLength(AcceptedCount as number)
  expect(await stored(api)).toEqual(lines.slice(0, AcceptedCount as number))
})

test.for([
  ['an unknown coding', 'br', Buffer.from('x'), 'UnsupportedMediaTypeException'],
  ['a body that is not gzip', 'gzip', Buffer.from('x'), 'SerializationException'],
  ['a bomb', 'gzip', gzipSync(Buffer.alloc(33 * 1024 * 1024)), 'RequestEntityTooLargeException'],
] as const)('%s is refused', async ([, encoding, body, type]) => {
  await using api = await openWithStream()
  const headers = { 'content-encoding': encoding }
  const refusal = await refusalOf(api.route('POST', RECORDS, LOGS, { headers, body }))
  expect(refusal).toMatchObject({ __type: type })
})

test.for([
  ['POST', RECORDS],
  ['GET', '/streams/{name}'],
  ['POST', '/streams/{name}/flush'],
  ['POST', '/streams/{name}/pause'],
  ['POST', '/streams/{name}/resume'],
] as const)('%s %s of an unknown stream is refused', async ([method, path]) => {
  await using api = await ApiUnderTest.open()
  expect(await refusalOf(api.route(method, path, { name: 'constructor' }))).toMatchObject({
    __type: 'ResourceNotFoundException',
  })
})

test('the status tells the books, what waits and what is open', async () => {
  await using api = await openWithStream()
  await api.call('PutRecordBatch', batchInput('logs', 'aa', 'b'))
  await api.route('POST', '/streams/{name}/flush', LOGS)
  await api.call('PutRecordBatch', batchInput('logs', 'c'))
  const status = {
    DeliveryStreamName: 'logs',
    DeliveryStreamARN: 'arn:aws:firehose:us-east-1:123456789012:deliverystream/logs',
    DeliveryStreamStatus: 'ACTIVE',
    VersionId: '1',
    RetentionPeriodHours: 24,
    Books: {
      Accepted: 3,
      Made: 0,
      Delivered: 0,
      Dropped: 0,
      Errored: 0,
      Quarantined: 0,
      Pending: 3,
    },
    PendingBytes: 4,
    OldestArrivalTimestamp: NOW_MS / 1_000,
    Delivery: {
      State: 'running',
      WaitingBatchCount: 1,
      InFlightBatchCount: 0,
      ParkedBatchCount: 0,
    },
    OpenBatch: {
      BatchId: expect.any(String) as string,
      RecordCount: 1,
      DataBytes: 1,
      FirstArrivalTimestamp: NOW_MS / 1_000,
    },
  }
  expect((await api.route('GET', '/streams/{name}', LOGS)).body).toEqual(status)
  expect((await api.route('GET', '/streams')).body).toEqual({ DeliveryStreams: [status] })
})

test('a stream is flushed, paused and resumed', async () => {
  await using api = await openWithStream()
  await api.call('PutRecordBatch', batchInput('logs', 'a', 'b'))
  const act = async (verb: string) =>
    (await api.route('POST', `/streams/{name}/${verb}`, LOGS)).body
  expect(await act('flush')).toEqual({ FlushedRecordCount: 2 })
  expect(await act('flush')).toEqual({ FlushedRecordCount: 0 })
  expect(api.sealed).toMatchObject([{ recordCount: 2, sealReason: 'flush' }])
  expect(await act('pause')).toEqual({ State: 'paused' })
  expect(await act('resume')).toEqual({ State: 'running' })
})

test('a record is found where it is: open, waiting, failed, delivered', async () => {
  await using api = await openWithStream()
  const answer = await api.call('PutRecordBatch', batchInput('logs', 'a', 'b'))
  const [, second] = answer['RequestResponses'] as { RecordId: string }[]
  const recordId = second!.RecordId
  const find = async () => (await api.route('GET', '/receipts/{recordId}', { recordId })).body
  const record = { RecordId: recordId, BatchId: recordId.slice(0, 26), Ordinal: 1 }

  expect(await find()).toEqual({ ...record, State: 'open', DeliveryStreamName: 'logs' })

  await api.route('POST', '/streams/{name}/flush', LOGS)
  expect(await find()).toMatchObject({ ...record, State: 'waiting' })

  const { queue, catalog } = api.context
  const claim = await queue.claim(AbortSignal.timeout(5_000))
  const failure = { errorCode: 'S3.AccessDenied', errorMessage: 'Denied' }
  await queue.retry(claim!, { ...failure, afterMs: 60_000, streamAfterMs: 60_000, brake: false })
  expect(await find()).toMatchObject({
    State: 'waiting',
    LastFailure: { ErrorCode: 'S3.AccessDenied', ErrorMessage: 'Denied' },
  })

  const { batch } = claim!
  await queue.discard(batch.streamId)
  const output = { kind: 'main', target: { key: 'k' }, recordCount: 2, attempts: 1, sizeBytes: 2 }
  await catalog.recordReceipt({
    ...batch,
    streamName: 'logs',
    deliveredAtMs: NOW_MS + 1_000,
    attempts: 2,
    outputs: [{ ...output, accounting: 'delivered' }],
    droppedCount: 0,
    quarantinedCount: 0,
  })
  expect(await find()).toEqual({
    ...record,
    State: 'delivered',
    Receipt: {
      DeliveryStreamName: 'logs',
      RecordCount: 2,
      DataBytes: 2,
      FirstArrivalTimestamp: NOW_MS / 1_000,
      SealedTimestamp: NOW_MS / 1_000,
      DeliveredTimestamp: NOW_MS / 1_000 + 1,
      Attempts: 2,
      Outputs: [
        {
          Kind: 'main',
          Target: { key: 'k' },
          Accounting: 'delivered',
          RecordCount: 2,
          Attempts: 1,
          SizeBytes: 2,
        },
      ],
      OutputCount: 1,
      DroppedCount: 0,
      QuarantinedCount: 0,
    },
  })
})

test.for(['x', encodeRecordId('01J8ZQ4Y7N3K5M6P8R9S0T1V2W', 0)])(
  'record id %s is not known',
  async (recordId) => {
    await using api = await openWithStream()
    expect(await refusalOf(api.route('GET', '/receipts/{recordId}', { recordId }))).toEqual({
      __type: 'NotFoundException',
      message: `Cannot find record ${recordId}: not accepted here, or its receipt is forgotten`,
    })
  },
)

test('healthy is live and ready, and not ready while there is no room', async () => {
  await using roomy = await ApiUnderTest.open()
  const ready = { statusCode: 200, body: { live: true, ready: true } }
  expect(await roomy.route('GET', '/health')).toEqual(ready)
  expect(await roomy.route('GET', '/health/ready')).toEqual(ready)

  await using full = await ApiUnderTest.open({ quotaBytes: 0 })
  const notReady = { statusCode: 503, body: { live: true, ready: false } }
  expect(await full.route('GET', '/health')).toEqual(notReady)
  expect(await full.route('GET', '/health/ready')).toEqual(notReady)
  expect(await full.route('GET', '/health/live')).toEqual({ statusCode: 200, body: { live: true } })
})

test('a pause lasts beyond the process, and so does its end', async () => {
  await using api = await openWithStream()
  const { catalog, clock } = api.context
  await api.call('PutRecordBatch', batchInput('logs', 'a'))
  await api.route('POST', '/streams/{name}/flush', LOGS)
  const { streamId } = api.context.registry.find('logs')!
  const stateAfterRestart = async () => {
    const registry = await StreamRegistry.open(catalog)
    const queue = new LocalQueue({ clock, claimsMax: 1 })
    await enqueueBacklog({ ...api.context, registry, queue })
    const { state, waitingCount } = await queue.status(streamId)
    const claim = await queue.claim(AbortSignal.abort())
    await queue.close()
    return { state, waitingCount, isClaimed: claim !== undefined }
  }
  await api.route('POST', '/streams/{name}/pause', LOGS)
  expect(await stateAfterRestart()).toEqual({ state: 'paused', waitingCount: 1, isClaimed: false })
  await api.route('POST', '/streams/{name}/resume', LOGS)
  expect(await stateAfterRestart()).toEqual({ state: 'running', waitingCount: 1, isClaimed: true })
  expect(api.context.registry.find('logs')).toMatchObject({ versionId: 1 })
})

test('a record is found, and in the books, at every moment of its seal', async () => {
  await using api = await openWithStream()
  const answer = await api.call('PutRecordBatch', batchInput('logs', 'a'))
  const [{ RecordId } = {}] = answer['RequestResponses'] as readonly { RecordId?: string }[]
  const { ledger, registry, intake } = api.context
  const { streamId } = registry.find('logs')!
  const sealing = intake.seal(streamId, 'flush')
  const states = new Set<unknown>()
  while (!states.has('waiting')) {
    const { body } = await api.route('GET', '/receipts/{recordId}', { recordId: RecordId! })
    states.add((body as JsonObject)['State'])
    const { books, pendingBytes } = await ledger.status(streamId)
    expect({ ...books, pendingBytes }).toMatchObject({ accepted: 1, pending: 1, pendingBytes: 1 })
    await nextTurn()
  }
  await sealing
  expect([...states]).toEqual(['open', 'waiting'])
})

test('functions are listed with what is known of them', async () => {
  await using api = await ApiUnderTest.open()
  const name = 'arn:aws:lambda:us-east-1:000000000000:function:enrich'
  const call = { name, durationMs: 12.5, recordCount: 100 }
  api.functionReports.observe('logs', call)
  api.functionReports.observe('logs', { ...call, errorCode: 'Lambda.FunctionError' })
  api.functionReports.observe('audit', call)
  const counted = {
    Name: name,
    InvocationCount: 1,
    FailureCount: 0,
    RecordCount: 100,
    DurationMs: { Sum: 12.5, Max: 12.5, P50: 12.5, P99: 12.5 },
  }
  expect(await api.route('GET', '/functions')).toEqual({
    statusCode: 200,
    body: {
      Functions: [
        { ...counted, DeliveryStreamName: 'audit' },
        {
          ...counted,
          DeliveryStreamName: 'logs',
          InvocationCount: 2,
          FailureCount: 1,
          RecordCount: 200,
          DurationMs: { Sum: 25, Max: 12.5, P50: 12.5, P99: 12.5 },
          LastFailure: { ErrorCode: 'Lambda.FunctionError', Timestamp: NOW_MS / 1_000 },
        },
      ],
    },
  })
})
