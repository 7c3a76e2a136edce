/** What is told of a record whose delivery has begun, by one output after the other. */
import { strict as assert } from 'node:assert'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import type { Claim } from '../../src/delivery-queue.ts'
import type { FrozenOutput, Manifest } from '../../src/manifest.ts'
import { RecordSet } from '../../src/record-set.ts'
import { ApiUnderTest, NOW_MS } from './api-under-test.ts'
import { batchInput } from './requests.ts'

const FAILURE = { errorCode: 'OS.Unavailable', errorMessage: 'Not now' }
const REFUSAL = { errorCode: '400', errorMessage: 'No such field' }
const TARGET = { index: 'logs-2026', documentIds: 'FIREHOSE_DEFAULT' }
const ERROR_TARGET = { bucket: 'b', key: 'AmazonOpenSearchService-failed/x' }

async function openWithRecords(): Promise<{
  api: ApiUnderTest
  recordIds: readonly string[]
  claim: Claim
}> {
  const api = await ApiUnderTest.open()
  await api.call('CreateDeliveryStream', {
    DeliveryStreamName: 'logs',
    AmazonopensearchserviceDestinationConfiguration: {
      RoleARN: 'arn:aws:iam::123456789012:role/r',
      ClusterEndpoint: 'http://localhost:9200',
      IndexName: 'logs',
      DocumentIdOptions: { DefaultDocumentIdFormat: 'FIREHOSE_DEFAULT' },
      S3Configuration: {
        RoleARN: 'arn:aws:iam::123456789012:role/r',
        BucketARN: 'arn:aws:s3:::b',
      },
    },
  })
  const answer = await api.call('PutRecordBatch', batchInput('logs', 'a', 'b', 'c', 'd'))
  const recordIds = (answer['RequestResponses'] as { RecordId: string }[]).map(
    ({ RecordId }) => RecordId,
  )
  await api.route('POST', '/streams/{name}/flush', { name: 'logs' })
  const claim = await api.context.queue.claim(AbortSignal.timeout(5_000))
  assert(claim !== undefined)
  return { api, recordIds, claim }
}

async function find(api: ApiUnderTest, recordId: string): Promise<JsonObject> {
  const { body } = await api.route('GET', '/receipts/{recordId}', { recordId })
  return body as JsonObject
}

function recordSet(...ordinals: number[]): string {
  const set = RecordSet.empty(4)
  for (const ordinal of ordinals) set.add(ordinal)
  return set.toString()
}

const DOCUMENTS: FrozenOutput = {
  kind: 'documents',
  target: TARGET,
  accounting: 'delivered',
  recordCount: 4,
  range: { from: 0, to: 4 },
  sizeBytes: 0,
  sha256: '',
  formerSha256s: [],
  progress: {
    attempts: 2,
    lastAttemptAtMs: NOW_MS,
    pending: recordSet(1, 2),
    unknown: recordSet(2),
    refused: [{ ...REFUSAL, ordinal: 3, attempts: 1, atMs: NOW_MS }],
    lastFailure: FAILURE,
  },
}
const ERRORS: FrozenOutput = {
  kind: 'error-output',
  target: ERROR_TARGET,
  accounting: 'errored',
  recordCount: 1,
  sizeBytes: 100,
  sha256: '00',
  formerSha256s: [],
}

test('a record that waits says when it is tried again, what has failed, and at which output', async () => {
  const { api, recordIds, claim } = await openWithRecords()
  await using _ = api
  const { store, queue, clock } = api.context
  const manifest: Manifest = {
    batchId: claim.batch.batchId,
    versionId: 1,
    destinationType: 'AmazonOpenSearchService',
    destination: {},
    frozenAtMs: NOW_MS,
    outputs: [DOCUMENTS, ERRORS],
    droppedCount: 0,
    quarantinedCount: 0,
  }
  await store.freeze(claim.batch, manifest)
  await queue.retry(claim, { ...FAILURE, afterMs: 60_000, streamAfterMs: 30_000, brake: true })
  const failure = { LastFailure: { ErrorCode: 'OS.Unavailable', ErrorMessage: 'Not now' } }
  const place = { Kind: 'documents', Target: TARGET, Accounting: 'delivered' }
  const attempts = { Attempts: 2, LastAttemptTimestamp: NOW_MS / 1_000 }
  const found = await Promise.all(recordIds.map((recordId) => find(api, recordId)))
  expect(found.map(({ Outputs }) => Outputs)).toEqual([
    [{ ...place, ...attempts, State: 'arrived' }],
    [{ ...place, ...attempts, State: 'waiting', ...failure }],
    [{ ...place, ...attempts, State: 'unknown', ...failure }],
    [
      {
        ...place,
        ...attempts,
        State: 'refused',
        LastFailure: { ErrorCode: '400', ErrorMessage: 'No such field' },
      },
      { Kind: 'error-output', Target: ERROR_TARGET, Accounting: 'errored', State: 'waiting' },
    ],
  ])
  const { Outputs, NextAttemptTimestamp, ...rest } = found[1]!
  expect(Outputs).toHaveLength(1)
  expect(rest).toEqual({
    RecordId: recordIds[1],
    BatchId: claim.batch.batchId,
    Ordinal: 1,
    State: 'waiting',
    DeliveryStreamName: 'logs',
    StreamState: 'braked',
    Attempt: 1,
    ...failure,
  })
  const waitMs = Number(NextAttemptTimestamp) * 1_000 - clock.nowMs()
  expect(waitMs).toBeGreaterThan(30_000)
  expect(waitMs).toBeLessThanOrEqual(60_000)
})

test('an attempt without effect leaves no outputs to tell of', async () => {
  const { api, recordIds, claim } = await openWithRecords()
  await using _ = api
  await api.context.store.freeze(claim.batch, {
    batchId: claim.batch.batchId,
    versionId: 1,
    destinationType: 'AmazonOpenSearchService',
    destination: {},
    frozenAtMs: NOW_MS,
    thawed: { attempts: 1 },
    outputs: [DOCUMENTS],
    droppedCount: 0,
    quarantinedCount: 0,
  })
  expect(await find(api, recordIds[0]!)).toMatchObject({ State: 'in-flight', Attempt: 1 })
  expect((await find(api, recordIds[0]!))['Outputs']).toBe(undefined)
})

test('a document that has arrived is told by index and id, a refused one by its error object', async () => {
  const { api, recordIds, claim } = await openWithRecords()
  await using _ = api
  const { queue, catalog } = api.context
  await catalog.recordReceipt({
    ...claim.batch,
    streamName: 'logs',
    deliveredAtMs: NOW_MS,
    attempts: 1,
    outputs: [
      { ...DOCUMENTS, recordCount: 3, refused: recordSet(3), attempts: 2 },
      { ...ERRORS, attempts: 1 },
    ],
    droppedCount: 0,
    quarantinedCount: 0,
  })
  await queue.complete(claim)
  const targets = await Promise.all(
    [recordIds[0]!, recordIds[3]!].map(async (recordId) => {
      const { State, Receipt } = await find(api, recordId)
      const { Outputs } = Receipt as { Outputs: { Target: JsonObject }[] }
      return [State, Outputs.map(({ Target }) => Target)]
    }),
  )
  expect(targets).toEqual([
    ['delivered', [{ ...TARGET, _id: recordIds[0] }]],
    ['errored', [ERROR_TARGET]],
  ])
})
