/** What record format conversion writes, read by others. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BufferPool } from '../../src/base/buffer-pool.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { Json } from '../../src/base/json.ts'
import { chunkOf } from '../../src/chunk.ts'
import { ParquetEncoder } from '../../src/objects/parquet-encoder.ts'
import { openSpool } from '../../src/objects/spool.ts'
import type { ParquetSerDe } from '../../src/processors/conversion/conversion-configuration.ts'
import { formatConversion } from '../../src/processors/conversion/format-conversion.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { TableDirectory } from '../../src/tables/table-directory.ts'
import type { TableSchema } from '../../src/table-schema.ts'
import { available } from '../clients/available.ts'
import { parquetReaders } from '../clients/parquet-readers.ts'
import { runProcessor } from '../fakes/processing.ts'

const CREATE_TABLE = `
  CREATE EXTERNAL TABLE golden (
    c_tinyint tinyint, c_smallint smallint, c_int int, c_bigint bigint, c_float float, c_double double,
    c_decimal decimal(5,2), c_large decimal(38,10), c_boolean boolean, c_string string,
    c_varchar varchar(3), c_char char(4), c_binary binary, c_date date, c_timestamp timestamp,
    c_array array<int>, c_map map<string,array<decimal(9,3)>>, c_numbered map<int,timestamp>,
    c_struct struct<x:int,list:array<struct<y:string,at:date>>,inner:struct<z:bigint>>
  ) PARTITIONED BY (dt string) STORED AS PARQUET`

const DUCKDB_TYPES = {
  c_tinyint: 'TINYINT',
  c_smallint: 'SMALLINT',
  c_int: 'INTEGER',
  c_bigint: 'BIGINT',
  c_float: 'FLOAT',
  c_double: 'DOUBLE',
  c_decimal: 'DECIMAL(5,2)',
  c_large: 'DECIMAL(38,10)',
  c_boolean: 'BOOLEAN',
  c_string: 'VARCHAR',
  c_varchar: 'VARCHAR',
  c_char: 'VARCHAR',
  c_binary: 'BLOB',
  c_date: 'DATE',
  c_timestamp: 'TIMESTAMP',
  c_array: 'INTEGER[]',
  c_map: 'MAP(VARCHAR, DECIMAL(9,3)[])',
  c_numbered: 'MAP(INTEGER, TIMESTAMP)',
  c_struct: 'STRUCT(x INTEGER, list STRUCT(y VARCHAR, "at" DATE)[], "inner" STRUCT(z BIGINT))',
}
const PYARROW_TYPES = {
  c_tinyint: 'int8',
  c_smallint: 'int16',
  c_int: 'int32',
  c_bigint: 'int64',
  c_float: 'float',
  c_double: 'double',
  c_decimal: 'decimal128(5, 2)',
  c_large: 'decimal128(38, 10)',
  c_boolean: 'bool',
  c_string: 'string',
  c_varchar: 'string',
  c_char: 'string',
  c_binary: 'binary',
  c_date: 'date32[day]',
  c_timestamp: 'timestamp[us]',
  c_array: 'list<element: int32>',
  c_map: "map<string, list<element: decimal128(9, 3)> ('c_map')>",
  c_numbered: "map<int32, timestamp[us] ('c_numbered')>",
  c_struct:
    'struct<x: int32, list: list<element: struct<y: string, at: date32[day]>>, inner: struct<z: int64>>',
}
const TYPES: Readonly<Record<string, object>> = { DuckDB: DUCKDB_TYPES, pyarrow: PYARROW_TYPES }
const NULLS = Object.fromEntries(Object.keys(DUCKDB_TYPES).map((name) => [name, null]))

/** Records, and the rows that they are. */
const GOLDEN: readonly (readonly [record: string, ...rows: Readonly<Record<string, Json>>[]])[] = [
  [
    `{"c_tinyint":-128,"C_SmallInt":32767,"c_int":-2147483648,"c_bigint":9223372036854775807,
      "c_float":0.5,"c_double":-1.7976931348623157e308,"c_decimal":-999.985,
      "c_large":1234567890123456789012345678.0123456789,"c_boolean":true,"c_string":"é😀\\u0000\\n",
      "c_varchar":"äöüß","c_char":"ab   ","c_binary":"AAH/","c_date":"1969-12-31",
      "c_timestamp":"2017-02-07T15:13:01.392561999Z","c_array":[1,null,-3],
      "c_map":{"K":[0.0005,null],"empty":[],"none":null},"c_numbered":{"-7":"1969-12-31 23:59:59.5"},
      "c_struct":{"x":1,"list":[{"y":"a","at":"2024-02-29"},null,{}],"inner":{"z":"-1"}}}`,
    {
      c_tinyint: -128,
      c_smallint: 32_767,
      c_int: -2_147_483_648,
      c_bigint: '9223372036854775807',
      c_float: 0.5,
      c_double: -1.797_693_134_862_315_7e308,
      c_decimal: '-999.99',
      c_large: '1234567890123456789012345678.0123456789',
      c_boolean: true,
      c_string: 'é😀\0\n',
      c_varchar: 'äöü',
      c_char: 'ab',
      c_binary: '0001ff',
      c_date: '1969-12-31',
      c_timestamp: '2017-02-07 15:13:01.392561',
      c_array: [1, null, -3],
      c_map: [
        { key: 'K', value: ['0.001', null] },
        { key: 'empty', value: [] },
        { key: 'none', value: null },
      ],
      c_numbered: [{ key: -7, value: '1969-12-31 23:59:59.5' }],
      c_struct: {
        x: 1,
        list: [{ y: 'a', at: '2024-02-29' }, null, { y: null, at: null }],
        inner: { z: '-1' },
      },
    },
  ],
  ['{}{"unknown":[1,2]}', NULLS, NULLS],
  [
    '{"c_array":[],"c_map":{},"c_numbered":null,"c_struct":{},"c_string":{"as":["text",1.0]}}',
    {
      ...NULLS,
      c_array: [],
      c_map: [],
      c_struct: { x: null, list: null, inner: null },
      c_string: '{"as":["text",1.0]}',
    },
  ],
  [
    '{"c_struct":{"list":[],"inner":{}},"c_timestamp":1518033528123,"c_double":0,"c_string":""}',
    {
      ...NULLS,
      c_struct: { x: null, list: [], inner: { z: null } },
      c_timestamp: '2018-02-07 19:58:48.123',
      c_double: 0,
      c_string: '',
    },
  ],
]

interface AnyType {
  /** As Hive writes it. */
  readonly text: string
  readonly value: fc.Arbitrary<Json>
  /** What is to be read, of what was put. */
  readonly read: (value: Json) => Json
}

/** Types in each other, with values that are null, empty, or left out wherever they can be. */
const anyType: fc.Arbitrary<AnyType> = fc.letrec<{ type: AnyType }>((tie) => {
  const leaf = (text: string, value: fc.Arbitrary<Json>): AnyType => ({
    text,
    value,
    read: (v) => v,
  })
  const orNull = ({ text, value, read }: AnyType): AnyType => ({
    text,
    value: fc.option(value),
    read: (put) => (put === null ? null : read(put)),
  })
  const array = tie('type').map(({ text, value, read }) => ({
    text: `array<${text}>`,
    value: fc.array(value, { maxLength: 3 }),
    read: (put: Json) => (put as Json[]).map(read),
  }))
  const map = tie('type').map(({ text, value, read }) => ({
    text: `map<string,${text}>`,
    value: fc.dictionary(fc.string({ maxLength: 3 }), value, { maxKeys: 3, noNullPrototype: true }),
    read: (put: Json) =>
      Object.entries(put as object).map(([key, entry]) => ({ key, value: read(entry as Json) })),
  }))
  const struct = fc.array(tie('type'), { minLength: 1, maxLength: 3 }).map((fields) => ({
    text: `struct<${fields.map(({ text }, index) => `f${index}:${text}`).join(',')}>`,
    value: fc.record(Object.fromEntries(fields.map(({ value }, index) => [`f${index}`, value])), {
      requiredKeys: [],
      noNullPrototype: true,
    }) as fc.Arbitrary<Json>,
    read: (put: Json) =>
      Object.fromEntries(
        fields.map(({ read }, index) => {
          const name = `f${index}`
          return [name, read((put as Record<string, Json>)[name] ?? null)]
        }),
      ),
  }))
  const type = fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      leaf('int', fc.integer()),
      leaf('string', fc.string({ maxLength: 4 })),
      leaf('boolean', fc.boolean()),
    ),
    array,
    map,
    struct,
  )
  return { type: type.map(orNull) }
}).type

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'standpipe-parquet-'))
})
afterAll(() => rm(directory, { recursive: true }))

/** Writes what a stream would: the records that no rows can be made of are left out. */
async function convert(
  records: readonly string[],
  createTable: string,
  serde: ParquetSerDe = {},
): Promise<string> {
  const SchemaConfiguration = { RoleARN: 'r', DatabaseName: 'd', TableName: 't' }
  const configuration = {
    Enabled: true,
    SchemaConfiguration,
    InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
    OutputFormatConfiguration: { Serializer: { ParquetSerDe: serde } },
  }
  const tables = new TableDirectory({
    tables: [{ database: 'd', table: 't', createTable }],
    glue: {},
    region: 'us-east-1',
    accountId: '000000000000',
    clock: systemClock,
    logger: silentLogger,
  })
  const stage = formatConversion({ configuration, tables, clock: systemClock })
  const { out, tableSchema } = await runProcessor(stage, records, { groupSize: 500 })
  const spool = openSpool({
    directory,
    clock: systemClock,
    buffers: new BufferPool(),
    encrypt: false,
  })
  const encoder = new ParquetEncoder({ schema: tableSchema as TableSchema, configuration, spool })
  for (let from = 0; from < out.length; from += 500) {
    await encoder.add(
      chunkOf(
        out.slice(from, from + 500).map(({ data }) => data),
        0,
      ),
    )
  }
  expect(encoder.recordCount).toBe(out.length)
  const content = await encoder.finish()
  const path = join(directory, `${content.sha256}.parquet`)
  await writeFile(path, await content.read(0, content.sizeBytes))
  await content.dispose()
  return path
}

const opened = await Promise.all(
  parquetReaders.map(async (reader) => ({ name: reader.name, read: await reader.open() })),
)

describe.each(opened)('$name', ({ name, read }) => {
  const present = available(name, read !== undefined)

  test
    .runIf(present)
    .each<ParquetSerDe>([
      {},
      { Compression: 'GZIP', EnableDictionaryCompression: true },
      { Compression: 'UNCOMPRESSED', EnableDictionaryCompression: true, WriterVersion: 'V2' },
      { Compression: 'SNAPPY', PageSizeBytes: 65_536, BlockSizeBytes: 67_108_864 },
    ])('reads every type, nulls and nested ones as they were put, with %j', async (serde) => {
    const records = GOLDEN.map(([record]) => record)
    const path = await convert([...records, 'no JSON', '{"c_int":"x"}'], CREATE_TABLE, serde)
    expect(await read?.(path)).toEqual({
      types: TYPES[name],
      rows: GOLDEN.flatMap(([, ...rows]) => rows),
    })
  })

  // Each run of pyarrow costs a second; it reads the same forms above.
  test.runIf(present && name === 'DuckDB')('reads any type in any other', async () => {
    const typeAndValues = anyType.chain((type) =>
      fc.tuple(fc.constant(type), fc.array(type.value, { maxLength: 20 })),
    )
    await fc.assert(
      fc.asyncProperty(typeAndValues, fc.boolean(), async ([type, values], dictionaries) => {
        const records = values.map((value) => JSON.stringify({ c: value }))
        const serde = { EnableDictionaryCompression: dictionaries }
        const path = await convert(records, `CREATE TABLE t (c ${type.text})`, serde)
        const { rows = [] } = (await read?.(path)) ?? {}
        expect(rows).toEqual(values.map((value) => ({ c: type.read(value) })))
      }),
      { numRuns: 200 },
    )
  })

  test.runIf(present)('reads a file without rows', async () => {
    expect(await read?.(await convert([], CREATE_TABLE))).toEqual({ types: TYPES[name], rows: [] })
  })

  test.runIf(present)(
    'reads 100,000 rows in several row groups, some columns with dictionaries',
    async () => {
      const rows = Array.from({ length: 100_000 }, (_, id) => ({
        id: String(BigInt(id) * 92_233_720_368_547n),
        kind: `kind ${id % 13}`,
        path: id % 5 === 0 ? null : `/a/${id}`,
        amount: `${id % 1000}.${String(id % 97).padStart(2, '0')}`,
        ratio: id / 8,
        tags: Array.from({ length: id % 4 }, (_tag, index) => `t${(id + index) % 7}`),
        at: { day: id % 3 === 0 ? null : `2024-01-${String((id % 28) + 1).padStart(2, '0')}` },
      }))
      const records = rows.map(({ id, amount, ...row }) =>
        JSON.stringify(row).replace('{', `{"id":${id},"amount":${amount},`),
      )
      const createTable =
        'CREATE TABLE t (id bigint, kind string, path string, amount decimal(7,2), ratio double, ' +
        'tags array<string>, at struct<day:date>)'
      const path = await convert(records, createTable, { EnableDictionaryCompression: true })
      const content = await read?.(path)
      expect(content?.rows.length).toBe(rows.length)
      // Only the first that differs: a difference of all of them would take minutes to print.
      const different = rows.findIndex(
        (row, index) => JSON.stringify(row) !== JSON.stringify(content?.rows[index]),
      )
      expect(content?.rows[different]).toEqual(rows[different])
    },
  )
})
