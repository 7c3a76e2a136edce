import { gunzipSync } from 'node:zlib'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import type { FileMetaData } from 'hyparquet'
import { expect, test } from 'vitest'
import { BufferPool } from '../base/buffer-pool.ts'
import { systemClock } from '../base/clock.ts'
import { chunkOf } from '../chunk.ts'
import type {
  Deserializer,
  ParquetSerDe,
} from '../processors/conversion/conversion-configuration.ts'
import type { TableSchema } from '../table-schema.ts'
import { ParquetEncoder } from './parquet-encoder.ts'
import { openSpool } from './spool.ts'

interface Encoded {
  readonly bytes: Buffer
  readonly recordCount: number
  readonly metadata: FileMetaData
}

function tableOf(columns: Record<string, string>, deserializer?: Deserializer): TableSchema {
  return {
    catalogId: '000000000000',
    databaseName: 'd',
    tableName: 't',
    region: 'us-east-1',
    versionId: 'LATEST',
    columns: Object.entries(columns).map(([name, type]) => ({ name, type })),
    ...(deserializer && { deserializer }),
  }
}

async function encode(
  schema: TableSchema,
  chunks: readonly (readonly string[])[],
  ParquetSerDe: ParquetSerDe = {},
): Promise<Encoded> {
  const spool = openSpool({
    directory: '/nonexistent',
    clock: systemClock,
    buffers: new BufferPool(),
    encrypt: false,
    memoryBytesMax: 256 * 1024 * 1024,
  })
  const configuration = {
    InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
    OutputFormatConfiguration: { Serializer: { ParquetSerDe } },
  }
  const encoder = new ParquetEncoder({ schema, configuration, spool })
  for (const records of chunks) {
    const chunk = chunkOf(
      records.map((record) => Buffer.from(record)),
      0,
    )
    await encoder.add(chunk)
    // Its memory is not ours any more.
    chunk.payload.fill(0xaa)
  }
  const content = await encoder.finish()
  const bytes = Buffer.from(await content.read(0, content.sizeBytes))
  await content.dispose()
  return { bytes, recordCount: encoder.recordCount, metadata: parquetMetadata(fileOf(bytes)) }
}

function fileOf(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

async function rowsOf({ bytes }: Encoded): Promise<object[]> {
  const rows = await parquetReadObjects({
    file: fileOf(bytes),
    compressors: { GZIP: (input) => new Uint8Array(gunzipSync(input)) },
  })
  // This reader gives undefined for a list that is null.
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? null])),
  )
}

const COLUMNS = { id: 'bigint', name: 'string', tags: 'array<string>' }

test('a record is a row, or as many as it holds objects; records are counted', async () => {
  const encoded = await encode(tableOf(COLUMNS), [
    ['{"id":1,"name":"a","tags":["x",null]}', '{"id":2}{"id":3,"tags":[]}'],
    [],
    ['{"name":"b"}'],
  ])
  expect(encoded.recordCount).toBe(3)
  expect(encoded.metadata.num_rows).toBe(4n)
  expect(await rowsOf(encoded)).toEqual([
    { id: 1n, name: 'a', tags: ['x', null] },
    { id: 2n, name: null, tags: null },
    { id: 3n, name: null, tags: [] },
    { id: null, name: 'b', tags: null },
  ])
})

test('a file without records has its columns', async () => {
  const encoded = await encode(tableOf(COLUMNS), [])
  expect(encoded.recordCount).toBe(0)
  expect(encoded.metadata.row_groups).toEqual([])
  expect(encoded.metadata.schema.map(({ name }) => name)).toEqual([
    'hive_schema',
    'id',
    'name',
    'tags',
    'list',
    'element',
  ])
  expect(await rowsOf(encoded)).toEqual([])
})

test.each(['UNCOMPRESSED', 'GZIP', 'SNAPPY'] as const)('%s is what columns are', async (codec) => {
  const records = Array.from({ length: 100 }, (_, id) => `{"id":${id},"name":"${'x'.repeat(50)}"}`)
  const encoded = await encode(tableOf(COLUMNS), [records], { Compression: codec })
  const columns = encoded.metadata.row_groups.flatMap((group) => group.columns)
  expect(columns.map((column) => column.meta_data?.codec)).toEqual([codec, codec, codec])
  expect((await rowsOf(encoded))[99]).toEqual({ id: 99n, name: 'x'.repeat(50), tags: null })
  expect(encoded.bytes.byteLength < 4000).toBe(codec !== 'UNCOMPRESSED')
})

test('columns have dictionaries when that is asked for, and pages of the size that is', async () => {
  const records = Array.from({ length: 5000 }, (_, id) => `{"id":${id},"name":"name ${id % 7}"}`)
  const encodings = async (serde: ParquetSerDe): Promise<unknown> => {
    const { metadata } = await encode(tableOf(COLUMNS), [records], serde)
    return metadata.row_groups[0]?.columns[1]?.meta_data?.encoding_stats
  }
  expect(await encodings({})).toEqual([{ page_type: 'DATA_PAGE_V2', encoding: 'PLAIN', count: 1 }])
  expect(await encodings({ EnableDictionaryCompression: true })).toEqual([
    { page_type: 'DICTIONARY_PAGE', encoding: 'PLAIN', count: 1 },
    { page_type: 'DATA_PAGE_V2', encoding: 'RLE_DICTIONARY', count: 1 },
  ])
  expect(await encodings({ PageSizeBytes: 10_000 })).toEqual([
    { page_type: 'DATA_PAGE_V2', encoding: 'PLAIN', count: 4 },
  ])
})

test('row groups end where memory would grow beyond bounds, wherever chunks do', async () => {
  const groups = async (columns: Record<string, string>, chunks: string[][]): Promise<number[]> => {
    const { metadata } = await encode(tableOf(columns), chunks)
    return metadata.row_groups.map(({ num_rows }) => Number(num_rows))
  }
  // By rows, also of one record.
  expect(await groups({ a: 'int' }, [['{}'.repeat(33_000)]])).toEqual([32_768, 232])
  // By values: 2^22 of them.
  const wide = Object.fromEntries(Array.from({ length: 4096 }, (_, index) => [`c${index}`, 'int']))
  expect(await groups(wide, [['{}'.repeat(1025)]])).toEqual([1024, 1])
  // By bytes: 8 MiB of records.
  const large = `{"a":1,"x":"${'x'.repeat(1024 * 1024)}"}`
  const records = Array.from({ length: 9 }, () => large)
  expect(await groups({ a: 'int' }, [records])).toEqual([8, 1])
  expect(
    await groups(
      { a: 'int' },
      records.map((record) => [record]),
    ),
  ).toEqual([8, 1])
})

test('the same records give the same bytes, however they come in chunks', async () => {
  const records = Array.from({ length: 1000 }, (_, id) => `{"id":${id},"tags":["t${id % 3}"]}`)
  const one = await encode(tableOf(COLUMNS), [records])
  const many = await encode(
    tableOf(COLUMNS),
    records.map((record) => [record]),
  )
  expect(many.bytes.equals(one.bytes)).toBe(true)
  expect(one.metadata.created_by).toBe('standpipe version 1.0')
})

test('records are read as they were when they were found good, whatever was configured since', async () => {
  const schema = tableOf({ at: 'timestamp' }, { HiveJsonSerDe: { TimestampFormats: ['yyyy'] } })
  expect(await rowsOf(await encode(schema, [['{"at":"1971"}']]))).toEqual([
    { at: new Date('1971-01-01T00:00:00Z') },
  ])
})
