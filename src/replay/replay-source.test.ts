import { expect, test } from 'vitest'
import type { JsonObject } from '../base/json.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { ReplayRequest } from '../replay.ts'
import { objectTimeMs, sourceOf } from './replay-source.ts'

function request(destination: JsonObject, facts: Partial<ReplayRequest> = {}): ReplayRequest {
  const stream = { name: 'logs', destination } as unknown as DeliveryStream
  return { stream, target: stream, dryRun: false, ...facts }
}

const BUCKET = { BucketARN: 'arn:aws:s3:::b' }
const NAME = 'logs-1-2026-11-20-10-00-00-01234567-89ab-cdef-0123-456789abcdef'

test.each([
  [{}, '', `processing-failed/2026/11/20/10/${NAME}`, `2026/11/20/10/${NAME}`],
  [{ Prefix: 'p/' }, 'p/', `p/AmazonOpenSearchService-failed/2026/11/${NAME}`, `p/2026/${NAME}`],
  [{ Prefix: 'p/' }, 'p/', `p/errors/2026/11/${NAME}`, `p/2026/${NAME}`],
  [{ ErrorOutputPrefix: 'err' }, 'err', `errors/${NAME}`, `2026/${NAME}`],
  [
    { ErrorOutputPrefix: 'e/!{timestamp:yyyy}/!{firehose:error-output-type}/x' },
    'e/',
    `e/2026/splunk-failed/x${NAME}`,
    `e/2026/splunk-failed/y${NAME}`,
  ],
])('the error output under %o is found, and nothing beside it', (prefixes, literal, yes, no) => {
  const { bucket, prefix, isMeant } = sourceOf(request({ ...BUCKET, ...prefixes }))
  expect([bucket, prefix, isMeant(yes), isMeant(no)]).toEqual(['b', literal, true, false])
})

test('other destinations than S3 have their S3 configuration inside', () => {
  const S3Configuration = { ...BUCKET, Prefix: 'p/' }
  expect(sourceOf(request({ BucketARN: 'other', S3Configuration }))).toMatchObject({
    bucket: 'b',
    prefix: 'p/',
  })
})

test('a backup lies beside the error output', () => {
  const destination = { S3BackupMode: 'AllDocuments', S3Configuration: { ...BUCKET, Prefix: 'p/' } }
  const { isMeant } = sourceOf(request(destination, { format: 'records' }))
  expect([isMeant(`p/2026/11/${NAME}`), isMeant(`p/splunk-failed/2026/${NAME}`)]).toEqual([
    true,
    false,
  ])
})

test('a stream without a backup has none to replay', () => {
  const destination = { ...BUCKET, S3BackupMode: 'Disabled' }
  expect(() => sourceOf(request(destination, { format: 'records' }))).toThrow(
    'Cannot replay the backup of logs: it keeps none',
  )
})

test('an explicit source is taken as it is', () => {
  const source = { bucket: 'other', prefix: 'x' }
  expect(sourceOf(request(BUCKET, { source }))).toMatchObject(source)
})

test('the time of an object is in its name, or else when it was last changed', () => {
  const times = [`a/${NAME}.gz`, 'other'].map((key) =>
    objectTimeMs({ key, sizeBytes: 0, lastModifiedMs: 7 }),
  )
  expect(times).toEqual([Date.UTC(2026, 10, 20, 10), 7])
})
