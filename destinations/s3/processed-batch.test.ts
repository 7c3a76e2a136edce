/** What the destination makes of batches that are partitioned or converted. */
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { NO_CONNECTIONS } from '../../src/connections.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { Destination, EncodedOutput } from '../../src/destination.ts'
import type { ObjectStore, PutObject } from '../../src/object-store.ts'
import { FolderObjectStore } from '../../src/objects/folder-object-store.ts'
import type { PartitionKeys } from '../../src/partition.ts'
import { streamTo } from '../../test/fakes/delivered-batch.ts'
import {
  bytesOf,
  chunksOf,
  objectJob,
  partitionsOf,
  shownOutputs,
} from '../../test/fakes/object-job.ts'
import { s3 } from './index.ts'

const ROLE = 'arn:aws:iam::000000000000:role/delivery'
const CONTEXT = { strictAws: false, objectStoreKind: 's3' } as const
const EXTRACTION = {
  Type: 'MetadataExtraction',
  Parameters: [
    { ParameterName: 'MetadataExtractionQuery', ParameterValue: '{c: .c, d: .d}' },
    { ParameterName: 'JsonParsingEngine', ParameterValue: 'JQ-1.6' },
  ],
}
const PARTITIONED = {
  Prefix: 'c=!{partitionKeyFromQuery:c}/!{partitionKeyFromQuery:d}/',
  ErrorOutputPrefix: 'e/!{firehose:error-output-type}/',
  DynamicPartitioningConfiguration: { Enabled: true },
  ProcessingConfiguration: { Enabled: true, Processors: [EXTRACTION] },
}
const CONVERTED = {
  DataFormatConversionConfiguration: {
    SchemaConfiguration: { RoleARN: ROLE, DatabaseName: 'db', TableName: 't' },
    InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
    OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
  },
}
const TABLE_SCHEMA = {
  catalogId: '0',
  databaseName: 'db',
  tableName: 't',
  region: 'us-east-1',
  versionId: '0',
  columns: [{ name: 'a', type: 'bigint' }],
}

function streamOf(members: JsonObject): DeliveryStream {
  const given = { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::logs', ...members }
  return streamTo('ExtendedS3', s3.create('ExtendedS3DestinationConfiguration', given, CONTEXT))
}

/** Keeps what it is given, without its bytes. */
class RecordingStore implements ObjectStore {
  readonly description = 'memory'
  readonly puts: Omit<PutObject, 'content'>[] = []

  put({ content: _content, ...object }: PutObject): Promise<void> {
    this.puts.push(object)
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

function openDestination(objectStore: ObjectStore = new RecordingStore()): Destination {
  const [clock, logger, connections] = [systemClock, silentLogger, NO_CONNECTIONS]
  return s3.open({ objectStore, connections, clock, logger })
}

/** What is put when each output is delivered once. */
async function putsOf(stream: DeliveryStream, outputs: readonly EncodedOutput[]) {
  const store = new RecordingStore()
  const destination = openDestination(store)
  const { batch } = objectJob(stream, [])
  for (const output of outputs) {
    await destination.deliver({
      batch,
      output,
      stream,
      currentStream: stream,
      formerSha256s: [],
      earlierAttempts: 0,
      async *records() {},
      signal: new AbortController().signal,
    })
  }
  return store.puts
}

const keysOf = (c: string, d: string): PartitionKeys => ({
  query: new Map(Object.entries({ c, d })),
  lambda: new Map(),
})

describe('dynamic partitioning', () => {
  test('batches are partitioned by the keys that the prefix names, or not at all', () => {
    const destination = openDestination()
    const rules = destination.partitioning?.(streamOf(PARTITIONED))
    expect(rules).toMatchObject({ queryKeys: ['c', 'd'], lambdaKeys: [] })
    expect(destination.partitioning?.(streamOf({}))).toBeUndefined()
    const off = { DynamicPartitioningConfiguration: { Enabled: false } }
    expect(destination.partitioning?.(streamOf(off))).toBeUndefined()
  })

  test('keys fit as S3 takes them, and in a folder as file names', () => {
    const folder = new FolderObjectStore({ root: '/nowhere', clock: systemClock })
    const fits = [openDestination(), openDestination(folder)].map(
      (destination) => destination.partitioning?.(streamOf(PARTITIONED))?.fits,
    )
    const keys = [keysOf('c', 'd'), keysOf('x'.repeat(254), 'd'), keysOf('c', 'x'.repeat(764))]
    expect(keys.map((some) => fits.map((fit) => fit?.(some)))).toEqual([
      [true, true],
      [true, false],
      [false, false],
    ])
  })

  test('each partition is an object, delivered like any other, several at once', async () => {
    const stream = streamOf(PARTITIONED)
    const partitions = partitionsOf([['a', 'b'], ['c']], (index) => keysOf(`${index}`, 'd'))
    const processed = { originals: chunksOf([]), partitions }
    const destination = openDestination()
    const outputs = await destination.encode(objectJob(stream, [], { processed }))
    expect((await putsOf(stream, outputs)).map(({ key }) => key)).toEqual([
      expect.stringMatching(/^c=0\/d\/2026\/07\/13\/14\/logs-1-2026-07-13-14-15-16-/),
      expect.stringMatching(/^c=1\/d\/2026\/07\/13\/15\/logs-1-2026-07-13-15-15-16-/),
    ])
    expect(await shownOutputs(outputs)).toMatchObject([{ text: 'ab' }, { text: 'c' }])
    expect(destination.outputsInFlightMax).toBe(16)
  })
})

describe('format conversion', () => {
  test.each([
    [{}, '.parquet'],
    [{ FileExtension: '.pq' }, '.pq'],
  ])(
    'with %o the object is a Parquet file that ends in %s, of no encoding',
    async (members, end) => {
      const stream = streamOf({ ...CONVERTED, ...members })
      const processed = { originals: chunksOf([]), tableSchema: TABLE_SCHEMA }
      const outputs = await openDestination().encode(objectJob(stream, ['{"a":1}'], { processed }))
      expect(await putsOf(stream, outputs)).toEqual([
        {
          bucket: 'logs',
          key: expect.stringMatching(new RegExp(`^2026/07/13/14/logs-1-[0-9a-f-]+\\${end}$`)),
          contentType: 'application/octet-stream',
          formerSha256s: [],
        },
      ])
      const [bytes] = await Promise.all(outputs.map(bytesOf))
      expect(bytes?.subarray(0, 4).toString()).toBe('PAR1')
    },
  )

  test('partitions are Parquet files, too', async () => {
    const partitions = partitionsOf([['{"a":1}'], ['{"a":2}']], (index) => keysOf(`${index}`, 'd'))
    const processed = { originals: chunksOf([]), partitions, tableSchema: TABLE_SCHEMA }
    const stream = streamOf({ ...PARTITIONED, ...CONVERTED })
    const outputs = await openDestination().encode(objectJob(stream, [], { processed }))
    const files = await Promise.all(outputs.map(bytesOf))
    expect(files.map((bytes) => bytes.subarray(-4).toString())).toEqual(['PAR1', 'PAR1'])
    expect(outputs.map(({ recordCount }) => recordCount)).toEqual([1, 1])
  })
})
