/**
 * What a DataFormatConversionConfiguration may say (facts: Record format conversion): from JSON, read
 * as OpenX's or Hive's SerDe reads it, to Parquet. One that is switched off is kept and echoed as it is;
 * what can't be done is refused when it is switched on.
 */
import type { JsonObject } from '../../base/json.ts'
import { ConfigurationError } from '../../destination.ts'
import { compileTimestampPattern } from './timestamp-pattern.ts'

/** As stored, when it is switched on. */
export type FormatConversion = {
  readonly Enabled: boolean
  readonly SchemaConfiguration: JsonObject
  readonly InputFormatConfiguration: { readonly Deserializer: Deserializer }
  readonly OutputFormatConfiguration: { readonly Serializer: Serializer }
}

export type Serializer = {
  readonly ParquetSerDe?: ParquetSerDe
  readonly OrcSerDe?: JsonObject
}

/** One of the two is there. */
export type Deserializer = {
  readonly OpenXJsonSerDe?: {
    /** Omitted: true. */
    readonly CaseInsensitive?: boolean
    readonly ConvertDotsInJsonKeysToUnderscores?: boolean
    readonly ColumnToJsonKeyMappings?: Readonly<Record<string, string>>
  }
  readonly HiveJsonSerDe?: { readonly TimestampFormats?: readonly string[] }
}

export type ParquetSerDe = {
  /** Omitted: SNAPPY. */
  readonly Compression?: 'UNCOMPRESSED' | 'GZIP' | 'SNAPPY'
  /** Of a page before it is compressed; omitted: 1 MiB. */
  readonly PageSizeBytes?: number
  /** Omitted: false. */
  readonly EnableDictionaryCompression?: boolean
  /** An upper bound of a row group. The least that may be asked for is more than ours ever are. */
  readonly BlockSizeBytes?: number
  readonly MaxPaddingBytes?: number
  /** Pages are those of version 2, whichever is asked for; readers take both. */
  readonly WriterVersion?: 'V1' | 'V2'
}

/** Takes the place of a pattern among TimestampFormats: milliseconds since the epoch. */
export const MILLIS = 'millis'

const SCHEMA_MEMBERS = ['RoleARN', 'DatabaseName', 'TableName']

/**
 * The configuration that replaces the stored one: merged member by member, where a Deserializer and a
 * Serializer are members as a whole, for each is a choice of one. Omitted Enabled is on at create; in
 * an update it stays as it was.
 * @throws ConfigurationError
 */
export function replaceFormatConversion(
  stored: JsonObject | undefined,
  given: JsonObject,
): JsonObject {
  const configuration: JsonObject = {
    Enabled: true,
    ...stored,
    ...given,
    ...mergedMember('SchemaConfiguration', stored, given),
    ...mergedMember('InputFormatConfiguration', stored, given),
    ...mergedMember('OutputFormatConfiguration', stored, given),
  }
  if (configuration['Enabled'] === true) checkConversion(configuration)
  return configuration
}

function mergedMember(
  name: string,
  stored: JsonObject | undefined,
  given: JsonObject,
): JsonObject | undefined {
  const [before, after] = [stored?.[name], given[name]] as (JsonObject | undefined)[]
  return before === undefined || after === undefined
    ? undefined
    : { [name]: { ...before, ...after } }
}

/** @throws ConfigurationError */
function checkConversion(configuration: JsonObject): void {
  const { SchemaConfiguration, InputFormatConfiguration, OutputFormatConfiguration } =
    configuration as Partial<FormatConversion>
  const missing = SCHEMA_MEMBERS.filter((name) => SchemaConfiguration?.[name] === undefined)
  if (missing.length > 0) {
    throw new ConfigurationError(
      `SchemaConfiguration must have ${missing.join(', ')} when data format conversion is enabled`,
    )
  }
  checkDeserializer(
    chosen('Deserializer', InputFormatConfiguration?.Deserializer, [
      'OpenXJsonSerDe',
      'HiveJsonSerDe',
    ]),
  )
  checkSerializer(
    chosen('Serializer', OutputFormatConfiguration?.Serializer, ['ParquetSerDe', 'OrcSerDe']),
  )
}

/** What names one of the two. */
function chosen<Choice extends object>(
  what: string,
  choice: Choice | undefined,
  names: readonly string[],
): Choice {
  const given = names.filter((name) => choice?.[name as keyof Choice] !== undefined)
  if (choice !== undefined && given.length === 1) return choice
  throw new ConfigurationError(
    `Data format conversion must have a ${what} with either ${names.join(' or ')}`,
  )
}

function checkDeserializer({ HiveJsonSerDe }: Deserializer): void {
  for (const pattern of HiveJsonSerDe?.TimestampFormats ?? []) {
    if (pattern !== MILLIS) compileTimestampPattern(pattern)
  }
}

function checkSerializer({ ParquetSerDe, OrcSerDe }: Serializer): void {
  if (OrcSerDe !== undefined) {
    throw new ConfigurationError(
      'OrcSerDe is not supported by Standpipe, for want of a maintained writer: use ParquetSerDe',
    )
  }
  if ((ParquetSerDe?.MaxPaddingBytes ?? 0) > 0) {
    throw new ConfigurationError(
      'MaxPaddingBytes is not supported by Standpipe: row groups are not padded, as with 0',
    )
  }
}
