/**
 * Replay with the real process: what was refused comes back once, whatever is asked for, however often,
 * and whenever the process dies.
 */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { FAULT_FREE } from '../fakes/fault-plan.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom } from '../fakes/seeded-random.ts'
import { balanced, settledBooks } from './books.ts'
import { eventually, Service } from './harness.ts'
import type { HttpClient } from './http-client.ts'
import { folderObjects, s3Objects } from './objects.ts'
import { bucketOf, s3Environment, smallStream } from './streams.ts'

const BIN = fileURLToPath(new URL('../../bin/standpipe.js', import.meta.url))
const ARRIVAL_MS = Date.UTC(2026, 10, 20, 10)
const ENDED_MS_MAX = 60_000

test('error records in the form of AWS come back through their stream, once', async () => {
  await using service = await Service.start()
  const client = service.client()
  await smallStream(client, 'logs', { Prefix: 'data/', ErrorOutputPrefix: 'errors/' })
  const texts = range(30).map((index) => `record ${index}\n`)
  const folder = 'errors/processing-failed/2026/11/20/10'
  const lines = (from: number, to: number) => errorLines(texts.slice(from, to), from)
  await putObject(service, 'logs', `${folder}/plain`, lines(0, 10))
  await putObject(service, 'logs', `${folder}/zipped.gz`, gzipSync(lines(10, 20)))
  await putObject(service, 'logs', `${folder}/packed.zst`, zstdCompressSync(lines(20, 30)))
  await putObject(service, 'logs', 'data/not/an/error', Buffer.from('data of the stream\n'))
  const counts = { ObjectCount: 3, ReadRecordCount: 30, SelectedRecordCount: 30 }
  expect(await replay(client, 'logs', { DryRun: true })).toMatchObject({
    ...counts,
    ReplayedRecordCount: 0,
    AlreadyReplayedRecordCount: 0,
  })
  expect(await replay(client, 'logs')).toMatchObject({ ...counts, ReplayedRecordCount: 30 })
  expect(await replay(client, 'logs')).toMatchObject({
    ...counts,
    ReplayedRecordCount: 0,
    AlreadyReplayedRecordCount: 30,
  })
  await expectDelivered(service, client, 'logs', [...texts, 'data of the stream\n'])
})

test('filters select, and what they left out can be replayed later', async () => {
  await using service = await Service.start()
  const client = service.client()
  await smallStream(client, 'logs', { Prefix: 'data/', ErrorOutputPrefix: 'errors/' })
  const texts = range(20).map((index) => `record ${index}\n`)
  await putObject(service, 'logs', 'errors/all', errorLines(texts))
  const selections = [
    [{ From: '2026-11-20T10:00:05Z', To: ARRIVAL_MS / 1_000 + 10 }, 5, 5],
    [{ ErrorCode: 'code-1', To: '2026-11-20T10:00:10Z' }, 5, 2],
    [{ ErrorCode: 'code-2' }, 0, 0],
    [{}, 20, 13],
  ] as const
  for (const [selection, selected, replayed] of selections) {
    expect(await replay(client, 'logs', selection)).toMatchObject({
      SelectedRecordCount: selected,
      ReplayedRecordCount: replayed,
      AlreadyReplayedRecordCount: selected - replayed,
    })
  }
  await expectDelivered(service, client, 'logs', texts)
})

test('a backup goes into another stream, line by line', async () => {
  await using service = await Service.start()
  const client = service.client()
  await smallStream(client, 'logs', {
    S3BackupMode: 'Enabled',
    ProcessingConfiguration: { Enabled: false },
    S3BackupConfiguration: {
      RoleARN: 'arn:aws:iam::000000000000:role/firehose',
      BucketARN: 'arn:aws:s3:::kept',
      BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 1 },
      CompressionFormat: 'Snappy',
      Prefix: 'backup/',
    },
  })
  await smallStream(client, 'copy', { Prefix: 'data/' })
  const texts = range(50).map((index) => `record ${index}\n`)
  await putRecords(client, 'logs', texts)
  await settledBooks(client, 'logs')
  await eventually('the backup is written', 10_000, async () => {
    const objects = await folderObjects(join(service.dataDir, 'buckets', 'kept'))
    return objects.length > 0 ? true : undefined
  })
  const fromStream = { Format: 'records', ToStream: 'copy' }
  expect(await replay(client, 'logs', fromStream)).toMatchObject({ ReplayedRecordCount: 50 })
  const fromBucket = { Source: { Bucket: 'kept', Prefix: 'backup/' } }
  expect(await replay(client, 'copy', fromBucket)).toMatchObject({
    ReplayedRecordCount: 0,
    AlreadyReplayedRecordCount: 50,
  })
  const old = { ...fromStream, To: '2020-01-01' }
  expect(await replay(client, 'logs', old)).toMatchObject({ ObjectCount: 0 })
  await expectDelivered(service, client, 'copy', texts)
})

test('what an endpoint has refused comes to it when it takes records again', async () => {
  await using endpoint = await startEndpoint()
  await using service = await Service.start()
  const client = service.client()
  await client.expect('CreateDeliveryStream', {
    DeliveryStreamName: 'posted',
    HttpEndpointDestinationConfiguration: {
      EndpointConfiguration: { Url: endpoint.url },
      BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 1 },
      RetryOptions: { DurationInSeconds: 0 },
      S3Configuration: {
        RoleARN: 'arn:aws:iam::000000000000:role/firehose',
        BucketARN: 'arn:aws:s3:::failed',
        CompressionFormat: 'GZIP',
      },
    },
  })
  endpoint.refuses = true
  const texts = range(10).map((index) => `record ${index}`)
  await putRecords(client, 'posted', texts)
  expect(await settledBooks(client, 'posted')).toMatchObject({ errored: 10, delivered: 0 })
  // Still refused: what fails again is a new error, and not met by the same replay.
  expect(await replay(client, 'posted')).toMatchObject({ ObjectCount: 1, ReplayedRecordCount: 10 })
  expect(await settledBooks(client, 'posted')).toMatchObject({ errored: 20, delivered: 0 })
  endpoint.refuses = false
  expect(await replay(client, 'posted')).toMatchObject({
    ObjectCount: 2,
    ReplayedRecordCount: 10,
    AlreadyReplayedRecordCount: 10,
  })
  expect(await settledBooks(client, 'posted')).toMatchObject({ errored: 20, delivered: 10 })
  expect(endpoint.taken.toSorted()).toEqual(texts.toSorted())
})

test('kill -9 in the middle of a replay loses nothing and doubles nothing', async () => {
  await using service = await Service.start()
  const client = service.client()
  await smallStream(client, 'logs', { Prefix: 'data/', ErrorOutputPrefix: 'errors/' })
  const texts = range(3_000).map((index) => `record ${index}\n`)
  for (const number of range(10)) {
    const some = texts.slice(number * 300, (number + 1) * 300)
    await putObject(service, 'logs', `errors/${number}`, errorLines(some))
  }
  for (const killAfterMs of [5, 30, 120, 250, 60, 180]) {
    const rate = killAfterMs < 100 ? {} : { RecordsPerSecond: killAfterMs }
    await startReplay(client, 'logs', rate)
    await sleep(killAfterMs)
    await service.kill()
    await service.start()
  }
  const last = await replay(client, 'logs')
  expect(last).toMatchObject({ ReadRecordCount: 3_000, SelectedRecordCount: 3_000 })
  await expectDelivered(service, client, 'logs', texts)
})

test('a replay can be cancelled, and one at a time runs into a stream', async () => {
  await using service = await Service.start()
  const client = service.client()
  await smallStream(client, 'logs', { Prefix: 'data/', ErrorOutputPrefix: 'errors/' })
  const texts = range(100).map((index) => `record ${index}\n`)
  await putObject(service, 'logs', 'errors/all', errorLines(texts))
  const begun = await startReplay(client, 'logs', { RecordsPerSecond: 1 })
  const rival = await client.send('POST', '/streams/logs/replays', { DryRun: true })
  expect([rival.status, rival.body['__type']]).toEqual([400, 'LimitExceededException'])
  const path = `/streams/logs/replays/${begun.ReplayId}`
  expect((await client.send('DELETE', path)).body).toMatchObject({ State: 'cancelled' })
  expect((await client.get('/streams/logs/replays')).body).toMatchObject({
    Replays: [{ ReplayId: begun.ReplayId, State: 'cancelled' }],
  })
  await replay(client, 'logs')
  await expectDelivered(service, client, 'logs', texts)
})

test('objects that hold no errors where errors should be fail the replay, after the others', async () => {
  await using service = await Service.start()
  const client = service.client()
  await smallStream(client, 'logs', { Prefix: 'data/', ErrorOutputPrefix: 'errors/' })
  await putObject(service, 'logs', 'errors/one', Buffer.from('hello\n'))
  await putObject(service, 'logs', 'errors/two', errorLines(['record\n']))
  await putObject(service, 'logs', 'errors/three', Buffer.from('hello\n'))
  expect(await replay(client, 'logs', {}, 'failed')).toMatchObject({
    ObjectCount: 1,
    ReplayedRecordCount: 1,
    Message: expect.stringMatching(
      /^Cannot read bucket-logs\/errors\/(one|three): line 1 is no error record; and 1 more objects$/,
    ),
  })
  await expectDelivered(service, client, 'logs', ['record\n'])
})

test('the command replays, tells the sums, and ends with 1 when it could not', async () => {
  await using service = await Service.start()
  const client = service.client()
  await smallStream(client, 'logs', { Prefix: 'data/', ErrorOutputPrefix: 'errors/' })
  await putObject(service, 'logs', 'errors/all', errorLines(['one\n', 'two\n']))
  const words = ['replay', 'bucket-logs/errors/', '--to-stream', 'logs']
  expect(await run(service, [...words, '--dry-run', '--error-code', 'code-1'])).toMatchObject({
    code: 0,
    stdout: '1 objects, 2 records read, 1 selected, 0 replayed, 0 already replayed\n',
  })
  expect(await run(service, words)).toMatchObject({
    code: 0,
    stdout: '1 objects, 2 records read, 2 selected, 2 replayed, 0 already replayed\n',
  })
  await expectDelivered(service, client, 'logs', ['one\n', 'two\n'])
  await putObject(service, 'logs', 'errors/other', Buffer.from('hello\n'))
  expect(await run(service, ['replay', 'logs'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('line 1 is no error record'),
  })
  expect(await run(service, ['replay', 'bucket-logs/errors/'])).toMatchObject({ code: 2 })
})

test('objects in an S3 that fails every third time come back once', async () => {
  await using s3 = await FaultyS3.start(new SeededRandom(7))
  await using service = await Service.start({ environment: s3Environment(s3) })
  const client = service.client()
  await smallStream(client, 'logs', { Prefix: 'data/', ErrorOutputPrefix: 'errors/' })
  const bucket = s3.bucket(bucketOf('logs'))
  const texts = range(400).map((index) => `record ${index}\n`)
  for (const number of range(20)) {
    const some = texts.slice(number * 20, (number + 1) * 20)
    const headers = { 'content-encoding': 'gzip' }
    bucket.put(`errors/${number}`, gzipSync(errorLines(some)), headers, false)
  }
  s3.misbehave({ ...FAULT_FREE, 'slow-down': 0.15, reset: 0.1, 'internal-error': 0.1 })
  await eventually('a replay comes to its end', 60_000, async () => {
    const { State } = await ended(client, 'logs', await startReplay(client, 'logs', {}))
    return State === 'completed' ? true : undefined
  })
  s3.misbehave(FAULT_FREE)
  const books = await settledBooks(client, 'logs')
  expect([balanced(books), books.delivered]).toEqual([true, 400])
  const delivered = s3Objects(bucket).filter(({ key }) => key.startsWith('data/'))
  expect(linesOf(delivered.map(({ bytes }) => bytes))).toEqual(texts.toSorted())
})

function range(count: number): number[] {
  return [...Array(count).keys()]
}

/** Codes take turns; each record came a second after the one before. */
function errorLines(texts: readonly string[], from = 0): Buffer {
  const lines = texts.map((text, index) =>
    JSON.stringify({
      rawData: Buffer.from(text).toString('base64'),
      errorCode: `code-${(from + index) % 2}`,
      errorMessage: 'The function did not like it',
      attemptsMade: 1,
      arrivalTimestamp: ARRIVAL_MS + (from + index) * 1_000,
      attemptEndingTimestamp: ARRIVAL_MS + 60_000,
      lambdaARN: 'arn:aws:lambda:us-east-1:000000000000:function:picky',
    }),
  )
  return Buffer.from(`${lines.join('\n')}\n`)
}

async function putObject(
  { dataDir }: Service,
  streamName: string,
  key: string,
  bytes: Buffer,
): Promise<void> {
  const path = join(dataDir, 'buckets', bucketOf(streamName), key)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
}

async function putRecords(
  client: HttpClient,
  DeliveryStreamName: string,
  texts: readonly string[],
): Promise<void> {
  const Records = texts.map((text) => ({ Data: Buffer.from(text).toString('base64') }))
  await client.expect('PutRecordBatch', { DeliveryStreamName, Records })
}

type Replay = JsonObject & { readonly ReplayId: string }

async function startReplay(
  client: HttpClient,
  streamName: string,
  request: JsonObject,
): Promise<Replay> {
  const { status, body } = await client.send('POST', `/streams/${streamName}/replays`, request)
  expect([status, body]).toEqual([201, expect.objectContaining({ State: 'running' })])
  return body as Replay
}

function ended(client: HttpClient, streamName: string, begun: Replay): Promise<JsonObject> {
  return eventually('the replay has ended', ENDED_MS_MAX, async () => {
    const { body } = await client.get(`/streams/${streamName}/replays/${begun.ReplayId}`)
    return body['State'] === 'running' ? undefined : body
  })
}

async function replay(
  client: HttpClient,
  streamName: string,
  request: JsonObject = {},
  state = 'completed',
): Promise<JsonObject> {
  const body = await ended(client, streamName, await startReplay(client, streamName, request))
  expect(body).toMatchObject({ State: state })
  return body
}

async function expectDelivered(
  service: Service,
  client: HttpClient,
  streamName: string,
  texts: readonly string[],
): Promise<void> {
  const books = await settledBooks(client, streamName)
  expect(balanced(books)).toBe(true)
  const folder = join(service.dataDir, 'buckets', bucketOf(streamName), 'data')
  const objects = await folderObjects(folder)
  expect(linesOf(objects.map(({ bytes }) => bytes))).toEqual(texts.toSorted())
}

function linesOf(contents: readonly Buffer[]): string[] {
  return Buffer.concat(contents)
    .toString()
    .split(/(?<=\n)/)
    .toSorted()
}

function run(
  { url }: Service,
  words: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const environment = { PATH: process.env['PATH'], AWS_ENDPOINT_URL_FIREHOSE: url }
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...words], { env: environment }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr })
    })
  })
}

/** Takes what Firehose posts, or refuses it. */
async function startEndpoint() {
  const taken: string[] = []
  const endpoint = { refuses: false }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const isZipped = request.headers['content-encoding'] === 'gzip'
      const { requestId, records } = JSON.parse(
        (isZipped ? gunzipSync(body) : body).toString(),
      ) as {
        requestId: string
        records: { data: string }[]
      }
      response.setHeader('content-type', 'application/json')
      response.statusCode = endpoint.refuses ? 400 : 200
      if (!endpoint.refuses) {
        taken.push(...records.map(({ data }) => Buffer.from(data, 'base64').toString()))
      }
      response.end(JSON.stringify({ requestId, timestamp: Date.now() }))
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return Object.assign(endpoint, {
    url: `http://127.0.0.1:${port}/`,
    taken,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}
