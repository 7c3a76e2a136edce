import { expect, test } from 'vitest'
import type { JsonObject } from '../../base/json.ts'
import { replaceFormatConversion } from './conversion-configuration.ts'

const SCHEMA = { RoleARN: 'arn:aws:iam::000000000000:role/r', DatabaseName: 'd', TableName: 't' }
const MINIMAL = {
  SchemaConfiguration: SCHEMA,
  InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
  OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
}

test('omitted Enabled is on at create and stays as it was in an update', () => {
  const created = replaceFormatConversion(undefined, MINIMAL)
  expect(created).toEqual({ Enabled: true, ...MINIMAL })
  const disabled = replaceFormatConversion(created, { Enabled: false })
  expect(disabled).toEqual({ ...created, Enabled: false })
  expect(replaceFormatConversion(disabled, { SchemaConfiguration: { TableName: 'u' } })).toEqual({
    ...disabled,
    SchemaConfiguration: { ...SCHEMA, TableName: 'u' },
  })
})

test('an update changes the members that it names; a choice of one is replaced as a whole', () => {
  const stored = replaceFormatConversion(undefined, {
    ...MINIMAL,
    OutputFormatConfiguration: { Serializer: { ParquetSerDe: { Compression: 'GZIP' } } },
  })
  const updated = replaceFormatConversion(stored, {
    SchemaConfiguration: { VersionId: '7' },
    InputFormatConfiguration: { Deserializer: { HiveJsonSerDe: {} } },
    OutputFormatConfiguration: { Serializer: { ParquetSerDe: { PageSizeBytes: 65_536 } } },
  })
  expect(updated).toEqual({
    Enabled: true,
    SchemaConfiguration: { ...SCHEMA, VersionId: '7' },
    InputFormatConfiguration: { Deserializer: { HiveJsonSerDe: {} } },
    OutputFormatConfiguration: { Serializer: { ParquetSerDe: { PageSizeBytes: 65_536 } } },
  })
})

test('every option of Parquet that is done is taken, and all defaults', () => {
  const ParquetSerDe = {
    BlockSizeBytes: 268_435_456,
    PageSizeBytes: 1_048_576,
    Compression: 'SNAPPY',
    EnableDictionaryCompression: true,
    MaxPaddingBytes: 0,
    WriterVersion: 'V1',
  }
  const given = { ...MINIMAL, OutputFormatConfiguration: { Serializer: { ParquetSerDe } } }
  expect(replaceFormatConversion(undefined, given)).toEqual({ Enabled: true, ...given })
})

test.each<[string, JsonObject, string]>([
  [
    'no schema',
    { SchemaConfiguration: { TableName: 't' } },
    'SchemaConfiguration must have RoleARN, DatabaseName when data format conversion is enabled',
  ],
  [
    'no deserializer',
    { InputFormatConfiguration: {} },
    'Data format conversion must have a Deserializer with either OpenXJsonSerDe or HiveJsonSerDe',
  ],
  [
    'two deserializers',
    { InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {}, HiveJsonSerDe: {} } } },
    'Data format conversion must have a Deserializer with either OpenXJsonSerDe or HiveJsonSerDe',
  ],
  [
    'no serializer',
    { OutputFormatConfiguration: { Serializer: {} } },
    'Data format conversion must have a Serializer with either ParquetSerDe or OrcSerDe',
  ],
  [
    'ORC',
    { OutputFormatConfiguration: { Serializer: { OrcSerDe: {} } } },
    'OrcSerDe is not supported by Standpipe, for want of a maintained writer: use ParquetSerDe',
  ],
  [
    'padding',
    { OutputFormatConfiguration: { Serializer: { ParquetSerDe: { MaxPaddingBytes: 1 } } } },
    'MaxPaddingBytes is not supported by Standpipe: row groups are not padded, as with 0',
  ],
  [
    'a pattern of timestamps that is not understood',
    {
      InputFormatConfiguration: {
        Deserializer: { HiveJsonSerDe: { TimestampFormats: ['millis', 'yyyy-MM-dd z'] } },
      },
    },
    "Cannot read timestamps by the pattern 'yyyy-MM-dd z': 'z' is not supported",
  ],
])('%s is refused, but not where conversion is off', (_what, given, message) => {
  expect(() => replaceFormatConversion(undefined, { ...MINIMAL, ...given })).toThrow(message)
  const disabled = { ...MINIMAL, ...given, Enabled: false }
  expect(replaceFormatConversion(undefined, disabled)).toEqual(disabled)
})
