import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { BufferPool } from '../../src/base/buffer-pool.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import type { StoredChunk } from '../../src/batch-store.ts'
import { NO_CONNECTIONS } from '../../src/connections.ts'
import type { Chunk, SealedBatch } from '../../src/batch.ts'
import { chunkOf } from '../../src/chunk.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { Destination, EncodedOutput, EncodeJob, DeliverJob } from '../../src/destination.ts'
import type { FrozenOutput, Manifest } from '../../src/manifest.ts'
import type { ObjectStore, PutObject } from '../../src/object-store.ts'
import { openSpool } from '../../src/objects/spool.ts'
import { s3 } from './index.ts'

const ROLE = 'arn:aws:iam::000000000000:role/delivery'
const MAIN = { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::logs' }
const BACKUP = { RoleARN: ROLE, BucketARN: 'arn:aws-cn:s3:::my.backup', Prefix: 'raw/' }
const KMS = 'arn:aws:kms:us-east-1:000000000000:key/k'
const APPEND_DELIMITER = {
  ProcessingConfiguration: { Enabled: true, Processors: [{ Type: 'AppendDelimiterToRecord' }] },
}
const CHUNKS = [['a', 'b'], ['c']].map((records) =>
  chunkOf(
    records.map((record) => Buffer.from(record)),
    0,
  ),
)
const BATCH: SealedBatch = {
  batchId: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  streamId: 'stream-id',
  recordCount: 3,
  dataBytes: 3,
  storedBytes: 100,
  firstArrivalMs: Date.UTC(2025, 10, 19, 22, 30, 48, 123),
  lastArrivalMs: Date.UTC(2025, 10, 19, 22, 31),
  sealedAtMs: Date.UTC(2025, 10, 19, 22, 32),
  sealReason: 'age',
}

function streamOf(members: JsonObject, versionId = 4): DeliveryStream {
  return {
    streamId: 'stream-id',
    name: 'web',
    arn: 'arn:aws:firehose:us-east-1:000000000000:deliverystream/web',
    status: 'ACTIVE',
    type: 'DirectPut',
    createdAtMs: 0,
    versionId,
    revision: 1,
    tags: [],
    encryption: { status: 'DISABLED' },
    destinationType: 'ExtendedS3',
    destination: s3.create(
      'ExtendedS3DestinationConfiguration',
      { ...MAIN, ...members },
      { strictAws: false, objectStoreKind: 's3' },
    ),
  }
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

async function* each(chunks: readonly Chunk[]): AsyncGenerator<StoredChunk> {
  let firstOrdinal = 0
  for (const chunk of chunks) {
    yield { ...chunk, firstOrdinal }
    firstOrdinal += chunk.recordCount
  }
}

function jobOf(stream: DeliveryStream, members: Partial<EncodeJob> = {}): EncodeJob {
  return {
    batch: BATCH,
    stream,
    chunks: each(CHUNKS),
    frozen: undefined,
    openSpool: () =>
      openSpool({
        directory: '/nonexistent',
        clock: systemClock,
        buffers: new BufferPool(),
        encrypt: false,
      }),
    ...members,
  }
}

function deliverJob(stream: DeliveryStream, output: EncodedOutput): DeliverJob {
  return {
    batch: BATCH,
    output,
    stream,
    currentStream: stream,
    formerSha256s: [],
    earlierAttempts: 0,
    async *records() {},
    signal: new AbortController().signal,
  }
}

async function bytesOf({ content }: EncodedOutput): Promise<Buffer> {
  assert(content !== undefined)
  return content.read(0, content.sizeBytes)
}

/** What the manifest would keep, with the bytes instead of their size and hash. */
async function shown(outputs: readonly EncodedOutput[]): Promise<object[]> {
  return Promise.all(
    outputs.map(async (output) => {
      const bytes = await bytesOf(output)
      expect(output.content?.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
      return { ...output, content: bytes.toString() }
    }),
  )
}

function manifestOf(stream: DeliveryStream, outputs: readonly EncodedOutput[]): Manifest {
  return {
    batchId: BATCH.batchId,
    versionId: stream.versionId,
    destinationType: stream.destinationType,
    destination: stream.destination,
    frozenAtMs: 0,
    outputs: outputs.map(({ content, ...output }): FrozenOutput => {
      const { sizeBytes = 0, sha256 = '' } = content ?? {}
      return { ...output, sizeBytes, sha256, formerSha256s: [] }
    }),
    droppedCount: 0,
    quarantinedCount: 0,
  }
}

const NAME = 'web-4-2025-11-19-22-30-48-dab0ca9a-b5d1-83e5-a74c-5dee376489f8'

describe('encode', () => {
  test('a batch is one object of all records, named as AWS names it', async () => {
    const outputs = await openDestination().encode(jobOf(streamOf({})))
    expect(await shown(outputs)).toEqual([
      {
        kind: 's3',
        target: { bucket: 'logs', key: `2025/11/19/22/${NAME}` },
        accounting: 'delivered',
        recordCount: 3,
        content: 'abc',
      },
    ])
  })

  test('prefix, zone and extension are the configured ones', async () => {
    const stream = streamOf({
      Prefix: '!{timestamp:EEEE}/',
      ErrorOutputPrefix: 'e/',
      CustomTimeZone: 'Asia/Tokyo',
      FileExtension: '.log',
      CompressionFormat: 'GZIP',
    })
    const [output] = await openDestination().encode(jobOf(stream))
    const uuid = 'dab0ca9a-b5d1-83e5-a74c-5dee376489f8'
    expect(output?.target).toEqual({
      bucket: 'logs',
      key: `Thursday/web-4-2025-11-20-07-30-48-${uuid}.log`,
    })
  })

  test('a backup is a second object with the records as they were sent', async () => {
    const stream = streamOf({
      ...APPEND_DELIMITER,
      CompressionFormat: 'UNCOMPRESSED',
      CustomTimeZone: 'Asia/Tokyo',
      S3BackupMode: 'Enabled',
      S3BackupConfiguration: BACKUP,
    })
    const outputs = await openDestination().encode(jobOf(stream))
    expect(await shown(outputs)).toEqual([
      {
        kind: 's3',
        target: { bucket: 'logs', key: expect.stringMatching(/^2025\/11\/20\/07\/web-4-/) },
        accounting: 'delivered',
        recordCount: 3,
        content: 'a\nb\nc',
      },
      {
        kind: 's3-backup',
        target: {
          bucket: 'my.backup',
          key: expect.stringMatching(
            /^raw\/2025\/11\/19\/22\/web-4-2025-11-19-22-30-48-[0-9a-f-]{36}$/,
          ),
        },
        accounting: 'copy',
        recordCount: 3,
        content: 'abc',
      },
    ])
  })

  test.each([
    ['GZIP', '.gz', gunzipSync],
    ['ZSTD', '.zst', zstdDecompressSync],
  ] as const)(
    '%s objects end in %s and hold the records',
    async (format, extension, decompress) => {
      const stream = streamOf({ CompressionFormat: format })
      const outputs = await openDestination().encode(jobOf(stream))
      const [output] = outputs
      expect(output?.target).toEqual({
        bucket: 'logs',
        key: `2025/11/19/22/${NAME}${extension}`,
      })
      const texts = await Promise.all(
        outputs.map(async (output) => decompress(await bytesOf(output))),
      )
      expect(texts.map(String)).toEqual(['abc'])
    },
  )

  test('a repeat, by whatever process, comes to the same names and bytes', async () => {
    const stream = streamOf({
      Prefix: '!{firehose:random-string}/',
      ErrorOutputPrefix: 'e/',
      CompressionFormat: 'ZIP',
      S3BackupMode: 'Enabled',
      S3BackupConfiguration: { ...BACKUP, CompressionFormat: 'GZIP' },
    })
    const first = manifestOf(stream, await openDestination().encode(jobOf(stream)))
    const again = manifestOf(stream, await openDestination().encode(jobOf(stream)))
    expect(again).toEqual(first)
  })

  test('frozen names are kept, also where they would come out otherwise today', async () => {
    const stream = streamOf({})
    const destination = openDestination()
    const manifest = manifestOf(stream, await destination.encode(jobOf(stream)))
    const target = { bucket: 'elsewhere', key: 'former-name' }
    const frozen = {
      ...manifest,
      outputs: manifest.outputs.map((output) => ({ ...output, target })),
    }
    const outputs = await destination.encode(jobOf(stream, { frozen }))
    expect(outputs.map((output) => output.target)).toEqual([target])
  })

  test('a damaged chunk is missing from the object and from its count', async () => {
    const stream = streamOf({ ...APPEND_DELIMITER, CompressionFormat: 'ZSTD' })
    const outputs = await openDestination().encode(jobOf(stream, { chunks: each(CHUNKS.slice(1)) }))
    const texts = await Promise.all(
      outputs.map(async (output) => zstdDecompressSync(await bytesOf(output)).toString()),
    )
    expect([texts, outputs.map(({ recordCount }) => recordCount)]).toEqual([['c'], [1]])
  })

  test('a batch that lost all its records has no objects, and none when it is repeated', async () => {
    const stream = streamOf({})
    const destination = openDestination()
    const outputs = await destination.encode(jobOf(stream, { chunks: each([]) }))
    const frozen = manifestOf(stream, outputs)
    const again = await destination.encode(jobOf(stream, { chunks: each([]), frozen }))
    expect([outputs, again]).toEqual([[], []])
  })

  test('a frozen batch that lost all its records since keeps its objects', async () => {
    const stream = streamOf({})
    const destination = openDestination()
    const frozen = manifestOf(stream, await destination.encode(jobOf(stream)))
    const outputs = await destination.encode(jobOf(stream, { chunks: each([]), frozen }))
    expect(await shown(outputs)).toEqual([
      {
        kind: 's3',
        target: { bucket: 'logs', key: `2025/11/19/22/${NAME}` },
        accounting: 'delivered',
        recordCount: 0,
        content: '',
      },
    ])
  })
})

describe('deliver', () => {
  test('puts each object with the headers of its own configuration', async () => {
    const stream = streamOf({
      CompressionFormat: 'Snappy',
      EncryptionConfiguration: { KMSEncryptionConfig: { AWSKMSKeyARN: KMS } },
      S3BackupMode: 'Enabled',
      S3BackupConfiguration: BACKUP,
    })
    const store = new RecordingStore()
    const destination = openDestination(store)
    const outputs = await destination.encode(jobOf(stream))
    for (const output of outputs) {
      await destination.deliver({ ...deliverJob(stream, output), formerSha256s: ['00'] })
    }
    const [main, backup] = outputs
    expect(store.puts).toEqual([
      {
        ...(main?.target as object),
        contentType: 'application/octet-stream',
        contentEncoding: 'snappy-java',
        kmsKeyArn: KMS,
        formerSha256s: ['00'],
      },
      {
        ...(backup?.target as object),
        contentType: 'application/octet-stream',
        formerSha256s: ['00'],
      },
    ])
  })

  test('a new version of the stream has its own names', async () => {
    const destination = openDestination()
    const versions = [streamOf({}), streamOf({ Prefix: 'new/' }, 5)]
    const outputs = await Promise.all(versions.map((stream) => destination.encode(jobOf(stream))))
    expect(outputs.flat().map(({ target }) => target)).toEqual([
      { bucket: 'logs', key: `2025/11/19/22/${NAME}` },
      { bucket: 'logs', key: `new/2025/11/19/22/${NAME.replace('web-4', 'web-5')}` },
    ])
  })
})
