import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import {
  bytesOf,
  chunksOf,
  frozenAs,
  memorySpool,
  objectJob,
  partitionsOf,
  shownOutputs,
} from '../../test/fakes/object-job.ts'
import { streamTo } from '../../test/fakes/delivered-batch.ts'
import type { JsonObject } from '../base/json.ts'
import type { EncodedOutput, EncodeJob, Spool } from '../destination.ts'
import type { PartitionKeys } from '../partition.ts'
import { encodeObjects } from './object-outputs.ts'
import { planObject } from './object-plan.ts'
import type { ObjectPlan, S3Target } from './object-plan.ts'
import type { S3Configuration } from './s3-configuration.ts'
import { S3_DEFAULTS } from './s3-configuration.ts'

const S3: JsonObject = {
  ...S3_DEFAULTS,
  RoleARN: 'r',
  BucketARN: 'arn:aws:s3:::b',
  Prefix:
    'c=!{partitionKeyFromQuery:c}/r=!{partitionKeyFromLambda:r}/!{firehose:random-string}/!{timestamp:HH}/',
  ErrorOutputPrefix: 'errors/!{firehose:error-output-type}/',
}
const STREAM = streamTo('ExtendedS3', S3)

function keysOf(index: number): PartitionKeys {
  return { query: new Map([['c', `customer ${index}`]]), lambda: new Map([['r', 'eu']]) }
}

function planOf(members: JsonObject = {}, delimiter?: string): ObjectPlan {
  return planObject(STREAM, {
    kind: 's3',
    outputIndex: 0,
    accounting: 'delivered',
    records: 'processed',
    configuration: { ...S3, ...members } as unknown as S3Configuration,
    prefixRules: { timeZone: 'UTC', dynamicPartitioning: true },
    delimiter: delimiter === undefined ? undefined : Buffer.from(delimiter),
  })
}

function jobOf(
  records: readonly (readonly string[])[],
  members: Partial<EncodeJob> = {},
): EncodeJob {
  const partitions = partitionsOf(records, keysOf)
  const processed = { originals: chunksOf(['x', 'y', 'z']), partitions }
  return objectJob(STREAM, records.flat(), { processed, ...members })
}

function keysIn(outputs: readonly EncodedOutput[]): readonly string[] {
  return outputs.map(({ target }) => (target as S3Target).key)
}

test('a partition is an object of its own, named by its keys and its oldest record', async () => {
  const outputs = await encodeObjects(jobOf([['a', 'b', 'c'], ['d']]), [planOf({}, '\n')])
  expect(await shownOutputs(outputs)).toEqual([
    { kind: 's3', recordCount: 3, range: { from: 0, to: 3 }, text: 'a\nb\nc' },
    { kind: 's3', recordCount: 1, range: { from: 3, to: 4 }, text: 'd' },
  ])
  expect(keysIn(outputs)).toEqual([
    expect.stringMatching(/^c=customer 0\/r=eu\/[a-z0-9]{11}\/14\/logs-1-2026-07-13-14-15-16-/),
    expect.stringMatching(/^c=customer 1\/r=eu\/[a-z0-9]{11}\/15\/logs-1-2026-07-13-15-15-16-/),
  ])
  const [first, second] = keysIn(outputs).map((key) => key.split('/')[2])
  expect(first).not.toBe(second)
})

test('the backup is beside them', async () => {
  const backup = { ...planOf({ Prefix: 'raw/' }), kind: 's3-backup', outputIndex: 1 }
  const plans = [planOf(), { ...backup, accounting: 'copy', records: 'accepted' } as const]
  const outputs = await encodeObjects(jobOf([['a'], ['b']]), plans)
  expect((await shownOutputs(outputs)).at(-1)).toEqual({
    kind: 's3-backup',
    recordCount: 3,
    range: { from: 0, to: 3 },
    text: 'xyz',
  })
  const none = await encodeObjects(jobOf([]), plans)
  expect(none.map(({ kind }) => kind)).toEqual(['s3-backup'])
})

test('a repeat comes to the same names and bytes, and frozen names are kept, each in its place', async () => {
  const records = [['a'], ['b', 'c'], ['d']]
  const plan = planOf({ CompressionFormat: 'ZIP' })
  const outputs = await encodeObjects(jobOf(records), [plan])
  const again = await encodeObjects(jobOf(records), [plan])
  expect(frozenAs(again)).toEqual(frozenAs(outputs))
  // The entry of a ZIP file is called what makes the object's name unique.
  for (const [index, key] of keysIn(outputs).entries()) {
    const bytes = await bytesOf(outputs[index]!)
    expect(bytes.includes(key.slice(-40, -4))).toBe(true)
  }

  const targets = records.map((_, index) => ({ bucket: 'then', key: `former-${index}` }))
  const backup = { ...outputs[0]!, kind: 's3-backup' }
  const frozen = frozenAs([
    backup,
    ...outputs.map((output, index) => ({ ...output, target: targets[index]! })),
  ])
  const kept = await encodeObjects(jobOf(records, { frozen }), [plan])
  expect(kept.map(({ target }) => target)).toEqual(targets)
})

test('a frozen batch that comes to other partitions is an error, not other names', async () => {
  const frozen = frozenAs(await encodeObjects(jobOf([['a'], ['b']]), [planOf()]))
  await expect(encodeObjects(jobOf([['a', 'b']], { frozen }), [planOf()])).rejects.toThrow(
    'a frozen batch keeps its partitions',
  )
})

test.each(['UNCOMPRESSED', 'GZIP'])(
  'ten thousand partitions (%s) take one spool, and one is encoded at a time',
  async (CompressionFormat) => {
    const count = 10_000
    const spools: Spool[] = []
    const openSpool = (): Spool => {
      spools.push(memorySpool())
      return spools.at(-1)!
    }
    let underWay = 0
    let underWayMax = 0
    const records = Array.from({ length: count }, (_, index) => [`${index};`, 'end'])
    const partitions = partitionsOf(records, keysOf).map((partition) => ({
      ...partition,
      async *chunks() {
        underWay += 1
        underWayMax = Math.max(underWayMax, underWay)
        yield* partition.chunks()
        underWay -= 1
      },
    }))
    const processed = { originals: chunksOf([]), partitions }
    const job = objectJob(STREAM, [], { processed, openSpool })
    const outputs = await encodeObjects(job, [planOf({ CompressionFormat }, '\n')])
    expect([outputs.length, spools.length, underWayMax]).toEqual([count, 1, 1])
    expect(new Set(keysIn(outputs)).size).toBe(count)
    for (const [index, output] of outputs.entries()) {
      const bytes = await bytesOf(output)
      const plain = CompressionFormat === 'GZIP' ? gunzipSync(bytes) : bytes
      expect(plain.toString()).toBe(`${index};\nend`)
      expect(output.content?.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
    }
  },
)
