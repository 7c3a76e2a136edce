import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { BufferPool } from '../base/buffer-pool.ts'
import { systemClock } from '../base/clock.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { SealedBatch } from '../batch.ts'
import type { StoredChunk } from '../batch-store.ts'
import { chunkOf } from '../chunk.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { Spool } from '../destination.ts'
import type { ErrorOutputJob, ProcessingErrorsJob } from '../error-output.ts'
import type { FrozenOutput, Manifest, Refusal } from '../manifest.ts'
import type { ObjectStore, PutObject } from '../object-store.ts'
import type { ErrorOutputType } from '../processor.ts'
import { ErrorObjects } from './error-objects.ts'
import { S3_DEFAULTS } from './s3-configuration.ts'
import { openSpool } from './spool.ts'

const ARRIVAL_MS = Date.UTC(2026, 6, 13, 14, 15, 16)

const S3: JsonObject = { ...S3_DEFAULTS, BucketARN: 'arn:aws:s3:::lost' }

function streamOf(destination: JsonObject): DeliveryStream {
  return { name: 'logs', versionId: 3, destination } as Partial<DeliveryStream> as DeliveryStream
}

const batch = {
  batchId: '01J2P4YH2NZ5R6T7V8W9X0Y1Z2',
  recordCount: 6,
  firstArrivalMs: ARRIVAL_MS,
} as SealedBatch

const refusal = (ordinal: number, errorMessage = 'Cannot index'): Refusal => ({
  ordinal,
  errorCode: '400',
  errorMessage,
  attempts: 2,
  atMs: ARRIVAL_MS + 60_000,
})

function output(target: Json, refused: readonly Refusal[]): FrozenOutput {
  return {
    kind: 'documents',
    target,
    accounting: 'delivered',
    recordCount: 3,
    sizeBytes: 0,
    sha256: '',
    formerSha256s: [],
    progress: { attempts: 2, lastAttemptAtMs: 0, refused },
  }
}

/** Two chunks that arrived one second apart. */
async function* chunks(): AsyncGenerator<StoredChunk> {
  yield {
    ...chunkOf(
      ['a', 'b', 'c'].map((text) => Buffer.from(text)),
      ARRIVAL_MS,
    ),
    firstOrdinal: 0,
  }
  const later = chunkOf([Buffer.from('d'), Buffer.from([0xff, 0x00])], ARRIVAL_MS + 1_000)
  yield { ...later, firstOrdinal: 4 }
}

function jobOf(outputs: readonly FrozenOutput[], s3Configuration: JsonObject = {}): ErrorOutputJob {
  const S3Configuration = { ...S3, ...s3Configuration }
  return {
    batch,
    stream: streamOf({ S3Configuration }),
    policy: {
      retryDurationMs: 0,
      atLeastOnce: false,
      errorOutputType: 'splunk-failed',
      errorMembers: (ordinal, { target }) => ({ index: target, place: ordinal }),
    },
    manifest: { outputs } as Partial<Manifest> as Manifest,
    chunks: chunks(),
    openSpool: memorySpool,
  }
}

/** Of an S3 destination, whose own members are its S3 configuration. */
function processingJobOf(
  errorOutputType: ErrorOutputType,
  lines: readonly string[],
  {
    destination = {},
    ...members
  }: Partial<ProcessingErrorsJob> & { destination?: JsonObject } = {},
): ProcessingErrorsJob {
  return {
    batch,
    stream: streamOf({ ...S3, ...destination }),
    errorOutputType,
    recordCount: lines.length,
    lines: (async function* () {
      for (const line of lines) yield Buffer.from(`${line}\n`)
    })(),
    frozen: undefined,
    openSpool: memorySpool,
    ...members,
  }
}

function memorySpool(): Spool {
  return openSpool({
    directory: '/nowhere',
    clock: systemClock,
    buffers: new BufferPool(),
    encrypt: false,
  })
}

class KeptObjects implements ObjectStore {
  readonly description = 'kept objects'
  readonly objects: (Omit<PutObject, 'content'> & { readonly bytes: Buffer })[] = []

  async put({ content, ...object }: PutObject): Promise<void> {
    const bytes = Buffer.from(await content.read(0, content.sizeBytes))
    this.objects.push({ ...object, bytes })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

async function putOf(job: ErrorOutputJob | ProcessingErrorsJob) {
  const store = new KeptObjects()
  const errorObjects = new ErrorObjects(store)
  const encoded =
    'lines' in job ? await errorObjects.encodeProcessingErrors(job) : await errorObjects.encode(job)
  const { stream } = job
  const { signal } = new AbortController()
  await errorObjects.deliver({ stream, output: encoded, formerSha256s: ['aa'], signal })
  return { encoded, object: store.objects[0] }
}

test("a line is AWS's error record, byte for byte, with the destination's own members", async () => {
  const { encoded, object } = await putOf(jobOf([output('logs-1', [refusal(1)])]))
  expect(object?.bytes.toString()).toBe(
    '{"attemptsMade":2,"arrivalTimestamp":1783952116000,"errorCode":"400",' +
      '"errorMessage":"Cannot index","attemptEndingTimestamp":1783952176000,' +
      '"index":"logs-1","place":1,"rawData":"Yg=="}\n',
  )
  expect(encoded).toMatchObject({ kind: 'error-output', accounting: 'errored', recordCount: 1 })
})

test('lines are in order of arrival, of all outputs, as the records were sent', async () => {
  const outputs = [output('one', [refusal(5), refusal(0)]), output('two', [refusal(4)])]
  const { object } = await putOf(jobOf(outputs))
  const lines = object?.bytes.toString().trimEnd().split('\n') ?? []
  const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(
    records.map(({ place, index, rawData, arrivalTimestamp }) => [
      place,
      index,
      Buffer.from(String(rawData), 'base64').toString('hex'),
      Number(arrivalTimestamp) - ARRIVAL_MS,
    ]),
  ).toEqual([
    [0, 'one', '61', 0],
    [4, 'two', '64', 1_000],
    [5, 'one', 'ff00', 1_000],
  ])
})

test('a record whose chunk is lost has no line', async () => {
  const { encoded } = await putOf(jobOf([output('one', [refusal(2), refusal(3)])]))
  expect(encoded.recordCount).toBe(1)
})

test('names are as AWS names error objects: prefix, type, hour, stream, version, time', async () => {
  const { object } = await putOf(jobOf([output('one', [refusal(0)])], { Prefix: 'data/' }))
  expect(object?.bucket).toBe('lost')
  expect(object?.key).toMatch(
    /^data\/splunk-failed\/2026\/07\/13\/14\/logs-3-2026-07-13-14-15-16-[0-9a-f-]{36}$/,
  )
})

test('an ErrorOutputPrefix is evaluated, and nothing is appended to it', async () => {
  const ErrorOutputPrefix = 'e/!{firehose:error-output-type}/!{timestamp:yyyy}/'
  const { object } = await putOf(jobOf([output('one', [refusal(0)])], { ErrorOutputPrefix }))
  expect(object?.key).toMatch(/^e\/splunk-failed\/2026\/logs-3-/)
})

test('it is compressed as the configuration says, and repeated under the same name', async () => {
  const job = () => jobOf([output('one', [refusal(0), refusal(1)])], { CompressionFormat: 'GZIP' })
  const first = await putOf(job())
  const { object } = first
  expect(object).toMatchObject({ contentEncoding: 'gzip', formerSha256s: ['aa'] })
  expect(object?.key).toMatch(/\.gz$/)
  expect(
    gunzipSync(object?.bytes ?? '')
      .toString()
      .split('\n'),
  ).toHaveLength(3)
  const second = await putOf(job())
  expect(second.object).toEqual(first.object)
})

test('what a processor failed is an object of its own, with the lines as they are', async () => {
  const { encoded, object } = await putOf(processingJobOf('processing-failed', ['{"a":1}', '{}']))
  expect(object?.bytes.toString()).toBe('{"a":1}\n{}\n')
  const { content: _content, ...shown } = encoded
  expect(shown).toEqual({
    kind: 'processing-failed',
    target: {
      bucket: 'lost',
      key: expect.stringMatching(
        /^processing-failed\/2026\/07\/13\/14\/logs-3-2026-07-13-14-15-16-[0-9a-f-]{36}$/,
      ),
    },
    accounting: 'errored',
    recordCount: 2,
    range: { from: 0, to: 2 },
  })
})

test('each type has a name of its own, which a repeat comes to again', async () => {
  const types = [
    'processing-failed',
    'decompression-failed',
    'format-conversion-failed',
    'activePartitionExceeded',
  ] as const
  // In one folder, so that only the names tell them apart.
  const destination = { ErrorOutputPrefix: 'errors/' }
  const keys = async (): Promise<unknown[]> =>
    Promise.all(
      types.map(async (type) => {
        const { object } = await putOf(processingJobOf(type, ['{}'], { destination }))
        return object?.key
      }),
    )
  const names = await keys()
  expect(new Set(names).size).toBe(types.length)
  expect(await keys()).toEqual(names)
})

test('beside dynamic partitioning, errors are named in the zone of the stream', async () => {
  const destination = {
    Prefix: 'data/!{partitionKeyFromQuery:customer}/',
    ErrorOutputPrefix: 'e/!{firehose:error-output-type}/!{timestamp:HH}/',
    DynamicPartitioningConfiguration: { Enabled: true },
    CustomTimeZone: 'Asia/Tokyo',
  }
  const { object } = await putOf(
    processingJobOf('activePartitionExceeded', ['{}'], { destination }),
  )
  expect(object?.key).toMatch(/^e\/activePartitionExceeded\/23\/logs-3-2026-07-13-23-15-16-/)
})

test('of a destination that is not S3 it is its S3Configuration that counts', async () => {
  const S3Configuration = { ...S3, BucketARN: 'arn:aws:s3:::other', CompressionFormat: 'GZIP' }
  const stream = streamOf({ S3Configuration })
  const { object } = await putOf(processingJobOf('decompression-failed', ['{}'], { stream }))
  expect(object).toMatchObject({ bucket: 'other', contentEncoding: 'gzip', formerSha256s: ['aa'] })
  expect(object?.key).toMatch(/\.gz$/)
  expect(gunzipSync(object?.bytes ?? '').toString()).toBe('{}\n')
})

test('a frozen name is kept', async () => {
  const target = { bucket: 'then', key: 'former' }
  const frozen = { target } as unknown as FrozenOutput
  const { object } = await putOf(processingJobOf('processing-failed', ['{}'], { frozen }))
  expect(object).toMatchObject(target)
})
