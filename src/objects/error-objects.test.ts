import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { BufferPool } from '../base/buffer-pool.ts'
import { systemClock } from '../base/clock.ts'
import type { Json } from '../base/json.ts'
import type { SealedBatch } from '../batch.ts'
import type { StoredChunk } from '../batch-store.ts'
import { chunkOf } from '../chunk.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { ErrorOutputJob } from '../error-output.ts'
import type { FrozenOutput, Manifest, Refusal } from '../manifest.ts'
import type { ObjectStore, PutObject } from '../object-store.ts'
import { ErrorObjects } from './error-objects.ts'
import { S3_DEFAULTS } from './s3-configuration.ts'
import { openSpool } from './spool.ts'

const ARRIVAL_MS = Date.UTC(2026, 6, 13, 14, 15, 16)

const stream = { name: 'logs', versionId: 3 } as DeliveryStream
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

function jobOf(
  outputs: readonly FrozenOutput[],
  s3Configuration: Readonly<Record<string, Json>> = {},
): ErrorOutputJob {
  return {
    batch,
    stream,
    policy: {
      retryDurationMs: 0,
      atLeastOnce: false,
      errorOutputType: 'splunk-failed',
      s3Configuration: { ...S3_DEFAULTS, BucketARN: 'arn:aws:s3:::lost', ...s3Configuration },
      errorMembers: (ordinal, { target }) => ({ index: target, place: ordinal }),
    },
    manifest: { outputs } as Partial<Manifest> as Manifest,
    chunks: chunks(),
    openSpool: () =>
      openSpool({
        directory: '/nowhere',
        clock: systemClock,
        buffers: new BufferPool(),
        encrypt: false,
      }),
  }
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

async function putOf(job: ErrorOutputJob) {
  const store = new KeptObjects()
  const errorObjects = new ErrorObjects(store)
  const encoded = await errorObjects.encode(job)
  const { signal } = new AbortController()
  await errorObjects.deliver({ ...job, output: encoded, formerSha256s: ['aa'], signal })
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
