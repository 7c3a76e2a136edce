import { expect, test } from 'vitest'
import {
  ARRIVAL_MS,
  batchOf,
  bytesOf,
  chunksOf,
  frozenAs,
  objectJob,
  shownOutputs,
} from '../../test/fakes/object-job.ts'
import { streamTo } from '../../test/fakes/delivered-batch.ts'
import type { JsonObject } from '../base/json.ts'
import type { StoredChunk } from '../batch-store.ts'
import type { EncodedOutput } from '../destination.ts'
import { encodeObjects } from './object-outputs.ts'
import { planObject } from './object-plan.ts'
import type { ObjectPlan, ObjectPlanOptions } from './object-plan.ts'
import type { S3Configuration } from './s3-configuration.ts'
import { S3_DEFAULTS } from './s3-configuration.ts'

const S3: JsonObject = { ...S3_DEFAULTS, RoleARN: 'r', BucketARN: 'arn:aws:s3:::b' }
const STREAM = streamTo('Any', S3)

function plan(options: Partial<ObjectPlanOptions> = {}): ObjectPlan {
  return planObject(STREAM, {
    kind: 's3',
    outputIndex: 0,
    accounting: 'delivered',
    records: 'processed',
    configuration: S3 as unknown as S3Configuration,
    prefixRules: { timeZone: 'UTC', dynamicPartitioning: false },
    ...options,
  })
}

const MAIN = plan()
const BACKUP = plan({
  kind: 's3-backup',
  outputIndex: 1,
  accounting: 'copy',
  records: 'accepted',
})

/** Counts how often it is asked for, and to the end. */
class Watched implements AsyncIterable<StoredChunk> {
  begun = 0
  ended = 0
  readonly #records: readonly string[]

  constructor(records: readonly string[]) {
    this.#records = records
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StoredChunk> {
    this.begun += 1
    for await (const chunk of chunksOf(this.#records)) yield chunk
    this.ended += 1
  }
}

test('all objects of a batch as it was accepted come of one pass, and none has a range', async () => {
  const chunks = new Watched(['a', 'b', 'c'])
  const outputs = await encodeObjects(objectJob(STREAM, [], { chunks }), [MAIN, BACKUP])
  expect(await shownOutputs(outputs)).toEqual([
    { kind: 's3', recordCount: 3, text: 'abc' },
    { kind: 's3-backup', recordCount: 3, text: 'abc' },
  ])
  expect(chunks).toMatchObject({ begun: 1, ended: 1 })
})

test('of a processed batch the backups are made of what was accepted, whose ordinals they have', async () => {
  const originals = new Watched(['a', 'b', 'c'])
  const job = objectJob(STREAM, ['A'], { processed: { originals } })
  const second = { ...BACKUP, kind: 'second' }
  const outputs = await encodeObjects(job, [MAIN, BACKUP, second])
  expect(await shownOutputs(outputs)).toEqual([
    { kind: 's3', recordCount: 1, text: 'A' },
    { kind: 's3-backup', recordCount: 3, range: { from: 0, to: 3 }, text: 'abc' },
    { kind: 'second', recordCount: 3, range: { from: 0, to: 3 }, text: 'abc' },
  ])
  expect(originals).toMatchObject({ begun: 1, ended: 1 })
})

test('what was accepted is not read where there is no backup', async () => {
  const originals = new Watched(['a'])
  await encodeObjects(objectJob(STREAM, ['A'], { processed: { originals } }), [MAIN])
  expect(originals.begun).toBe(0)
})

test('a copy of what is delivered, such as a staged object, is no backup', async () => {
  const originals = new Watched(['a', 'b'])
  const job = objectJob(STREAM, ['A'], { processed: { originals } })
  const outputs = await encodeObjects(job, [plan({ kind: 'staged', accounting: 'copy' })])
  expect(await shownOutputs(outputs)).toEqual([{ kind: 'staged', recordCount: 1, text: 'A' }])
})

test.each([undefined, { originals: chunksOf(['a']) }])(
  'the chunks are read to their end, also without a plan (processed: %o)',
  async (processed) => {
    const chunks = new Watched(['A', 'B', 'C'])
    const job = objectJob(STREAM, [], { chunks, ...(processed && { processed }) })
    expect(await encodeObjects(job, processed === undefined ? [] : [BACKUP])).toHaveLength(
      processed === undefined ? 0 : 1,
    )
    expect(chunks.ended).toBe(1)
  },
)

test('where processors left nothing, there is a backup and no object', async () => {
  const encode = (frozen?: readonly EncodedOutput[]): Promise<readonly EncodedOutput[]> => {
    const processed = { originals: chunksOf(['a', 'b', 'c']) }
    const manifest = frozen && frozenAs(frozen)
    return encodeObjects(objectJob(STREAM, [], { processed, frozen: manifest }), [MAIN, BACKUP])
  }
  const outputs = await encode()
  expect(await shownOutputs(outputs)).toEqual([
    { kind: 's3-backup', recordCount: 3, range: { from: 0, to: 3 }, text: 'abc' },
  ])
  const again = await encode(outputs)
  expect(frozenAs(again)).toEqual(frozenAs(outputs))
})

test('a batch that lost all its records has no objects', async () => {
  expect(await encodeObjects(objectJob(STREAM, []), [MAIN, BACKUP])).toEqual([])
  const processed = { originals: chunksOf([]) }
  expect(await encodeObjects(objectJob(STREAM, [], { processed }), [MAIN, BACKUP])).toEqual([])
})

test('what is frozen keeps its name and its range, whatever of its records is lost', async () => {
  const processed = () => ({ originals: chunksOf(['a', 'b', 'c', 'd']) })
  const job = objectJob(STREAM, ['A'], { processed: processed() })
  const outputs = await encodeObjects(job, [MAIN, BACKUP])
  const target = { bucket: 'then', key: 'former' }
  const frozen = frozenAs(outputs.map((output) => ({ ...output, target })))
  const lost = objectJob(STREAM, [], { processed: { originals: chunksOf(['a', 'b']) }, frozen })
  const again = await encodeObjects(lost, [MAIN, BACKUP])
  expect(again.map((output) => output.target)).toEqual([target, target])
  expect(await shownOutputs(again)).toEqual([
    { kind: 's3', recordCount: 0, text: '' },
    { kind: 's3-backup', recordCount: 2, range: { from: 0, to: 4 }, text: 'ab' },
  ])
})

test('a frozen batch gets no objects that it did not have', async () => {
  const frozen = frozenAs([])
  await expect(encodeObjects(objectJob(STREAM, ['a'], { frozen }), [MAIN])).rejects.toThrow(
    'a frozen batch has no more outputs than it had',
  )
})

const COLUMNS = [{ name: 'a', type: 'bigint' }]
const SCHEMA = {
  catalogId: '0',
  databaseName: 'db',
  tableName: 't',
  region: 'us-east-1',
  versionId: '0',
  columns: COLUMNS,
}
const CONVERSION: JsonObject = {
  Enabled: true,
  SchemaConfiguration: { RoleARN: 'r', DatabaseName: 'db', TableName: 't' },
  InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
  OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
}

test('with format conversion the object is a Parquet file, and its backup is not', async () => {
  const originals = chunksOf(['{"a":1}', '{"a":2}'])
  const job = objectJob(STREAM, ['{"a":1}', '{"a":2}'], {
    processed: { originals, tableSchema: SCHEMA },
  })
  const [main, backup] = await encodeObjects(job, [plan({ conversion: CONVERSION }), BACKUP])
  expect(main).toMatchObject({ kind: 's3', recordCount: 2 })
  expect(main?.target).toMatchObject({ key: expect.stringMatching(/^2026\/.*\.parquet$/) })
  const bytes = await bytesOf(main!)
  expect([bytes.subarray(0, 4).toString(), bytes.subarray(-4).toString()]).toEqual(['PAR1', 'PAR1'])
  expect((await bytesOf(backup!)).toString()).toBe('{"a":1}{"a":2}')
})

test.each([
  ['.pq', '.pq'],
  ['', '.parquet'],
])('a FileExtension of %j makes Parquet files end in %s', (fileExtension, expected) => {
  const { key } = plan({ conversion: CONVERSION, fileExtension }).target(batchOf(1))
  expect(key).toMatch(new RegExp(`-[0-9a-f]{12}\\${expected}$`))
})

test('names come from the batch, the place and the arrival of the oldest record', () => {
  const { batchId } = batchOf(1)
  const subject = { batchId, firstArrivalMs: ARRIVAL_MS + 3_600_000, outputIndex: 7 }
  const keys = [MAIN.target(batchOf(1)), MAIN.target(subject), MAIN.target(subject)].map(
    ({ key }) => key,
  )
  expect(keys[0]).toMatch(/^2026\/07\/13\/14\/logs-1-2026-07-13-14-15-16-/)
  expect(keys[1]).toMatch(/^2026\/07\/13\/15\/logs-1-2026-07-13-15-15-16-/)
  expect(keys[1]?.slice(-36)).not.toBe(keys[0]?.slice(-36))
  expect(keys[2]).toBe(keys[1])
})
