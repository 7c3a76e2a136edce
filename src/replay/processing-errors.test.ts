import { strict as assert } from 'node:assert'
import { expect, test } from 'vitest'
import { BufferPool } from '../base/buffer-pool.ts'
import { systemClock } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import type { SealedBatch } from '../batch.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { ObjectReader, ObjectStore } from '../object-store.ts'
import { ErrorObjects } from '../objects/error-objects.ts'
import type { S3Target } from '../objects/object-plan.ts'
import { S3_DEFAULTS } from '../objects/s3-configuration.ts'
import { openSpool } from '../objects/spool.ts'
import { errorLine } from '../processors/error-lines.ts'
import type { ErrorOutputType, ProcessingFailure, ProcessingRecord } from '../processor.ts'
import { readRecords } from './object-records.ts'
import { sourceOf } from './replay-source.ts'

const BUCKET = { ...S3_DEFAULTS, BucketARN: 'arn:aws:s3:::b', CompressionFormat: 'GZIP' }
const PARTITIONED = {
  Prefix: 'data/!{partitionKeyFromQuery:k}/',
  ErrorOutputPrefix: 'data/!{firehose:error-output-type}/',
  DynamicPartitioningConfiguration: { Enabled: true },
}
const TYPES = [
  'processing-failed',
  'decompression-failed',
  'format-conversion-failed',
  'activePartitionExceeded',
] as const

test.each([
  ...TYPES.map((type) => [type, BUCKET] as const),
  ...TYPES.map((type) => [type, { ...BUCKET, ...PARTITIONED }] as const),
  ['processing-failed', { S3Configuration: BUCKET }] as const,
])('what is written as %s is found by a replay and read back', async (type, destination) => {
  const { stream, target, bytes } = await written(type, destination)
  const { bucket, isMeant } = sourceOf({ stream, target: stream, dryRun: false })
  expect([bucket, isMeant(target.key)]).toEqual([target.bucket, true])

  const reader = { get: async () => ({ bytes: each([bytes]) }) } as unknown as ObjectReader
  const records: unknown[] = []
  const object = { ...target, format: 'error' } as const
  for await (const record of readRecords(reader, object, new AbortController().signal)) {
    records.push(record)
  }
  expect(records).toEqual(
    ['first', ''].map((text, index) => ({
      index,
      data: Buffer.from(text),
      error: { arrivalMs: 1_000 + index, errorCode: 'Some.Code' },
    })),
  )
})

/** An error object of two records, the second one empty. */
async function written(errorOutputType: ErrorOutputType, destination: JsonObject) {
  let bytes = Buffer.alloc(0)
  const objectStore: ObjectStore = {
    description: 'memory',
    put: async ({ content }) => {
      bytes = Buffer.from(await content.read(0, content.sizeBytes))
    },
    close: async () => {},
  }
  const stream = { name: 'logs', versionId: 1, destination } as unknown as DeliveryStream
  const errors = new ErrorObjects(objectStore)
  const output = await errors.encodeProcessingErrors({
    batch: { batchId: '01J2P4YH2NZ5R6T7V8W9X0Y1Z2', firstArrivalMs: 0 } as SealedBatch,
    stream,
    errorOutputType,
    recordCount: 2,
    lines: each(
      ['first', ''].map((text, ordinal) => {
        const original = Buffer.from(text)
        const record = { ordinal, arrivalMs: 1_000 + ordinal, data: Buffer.from('x'), original }
        return Buffer.from(errorLine(record satisfies ProcessingRecord, failure(errorOutputType)))
      }),
    ),
    frozen: undefined,
    openSpool: () =>
      openSpool({
        directory: '/nowhere',
        clock: systemClock,
        buffers: new BufferPool(),
        encrypt: false,
      }),
  })
  assert(output.content !== undefined)
  const { signal } = new AbortController()
  await errors.deliver({ stream, output, formerSha256s: [], signal })
  return { stream, target: output.target as S3Target, bytes }
}

function failure(errorOutputType: ErrorOutputType): ProcessingFailure {
  return {
    errorOutputType,
    errorCode: 'Some.Code',
    errorMessage: 'It failed',
    attemptsMade: 1,
    atMs: 2_000,
  }
}

async function* each<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items
}
