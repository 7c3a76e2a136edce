/**
 * Makes rows of a table of records, as OpenX's or Hive's JSON SerDe does. The conversion's processor and
 * the encoder of its files both read by it: what the one lets pass, the other can write. So all that it
 * does depends on the record alone and never on those before it.
 */
import type { TableSchema } from '../../table-schema.ts'
import type { Deserializer } from './conversion-configuration.ts'
import { MILLIS } from './conversion-configuration.ts'
import { contains, InvalidSchema, tableFields } from './hive-type.ts'
import type { HiveField } from './hive-type.ts'
import { JsonObjectsError, jsonObjectsIn } from '../unpacking/concatenated-objects.ts'
import { malformedJson, parseJson, UnreadableRecord } from './json-values.ts'
import type { JsonValue } from './json-values.ts'
import { fieldsReader, isObject, Mismatch, SourceNeeded } from './json-readers.ts'
import type { ReadingRules } from './json-readers.ts'
import { parseAnyTimestamp, parseMillis, parseSqlTimestamp } from './timestamp-text.ts'
import { compileTimestampPattern } from './timestamp-pattern.ts'

/** A value for each column; which, says json-readers.ts. */
export type Row = readonly unknown[]

/** A number that a double may not hold. In a text it does no harm: it only takes longer. */
const LONG_NUMBER = /\d[\d.]{15}/
/** Keys of maps are in it, which are the record's. */
const PLACE_LENGTH_MAX = 200
const EMPTY = 'The record was empty or contained only whitespace'

export class RowReader {
  readonly fields: readonly HiveField[]
  readonly #read: ReturnType<typeof fieldsReader>
  readonly #hasExactNumbers: boolean

  /** @throws InvalidSchema */
  constructor(schema: TableSchema, deserializer: Deserializer) {
    this.fields = tableFields(schema)
    this.#hasExactNumbers = this.fields.some(({ type }) => contains(type, ['bigint', 'decimal']))
    const { HiveJsonSerDe, OpenXJsonSerDe = {} } = deserializer
    if (HiveJsonSerDe !== undefined) {
      refuseDots(this.fields)
      const keys = this.fields.map(({ name }) => name.toLowerCase())
      this.#read = fieldsReader(keys, this.fields, hiveRules(HiveJsonSerDe))
    } else {
      const rules = openXRules(OpenXJsonSerDe)
      const mappings = new Map(Object.entries(OpenXJsonSerDe.ColumnToJsonKeyMappings ?? {}))
      const keys = this.fields.map(({ name }) => rules.normalizeKey(mappings.get(name) ?? name))
      this.#read = fieldsReader(keys, this.fields, rules)
    }
  }

  /**
   * One row for each object of the record, at least one.
   * @throws UnreadableRecord
   */
  *rows(record: Buffer): Generator<Row> {
    const text = record.toString('utf8')
    let row: Row
    try {
      row = this.#row(text)
    } catch (error) {
      if (!isParseError(error)) throw error
      if (text.trim() === '') throw new UnreadableRecord('ParseError', EMPTY)
      yield* this.#rowsOfMany(record)
      return
    }
    yield row
  }

  /** Several objects one after the other, which are no JSON as a whole. */
  *#rowsOfMany(record: Buffer): Generator<Row> {
    try {
      for (const object of jsonObjectsIn(record)) yield this.#row(object.toString('utf8'))
    } catch (error) {
      throw error instanceof JsonObjectsError ? malformedJson(error) : error
    }
  }

  #row(text: string): Row {
    if (this.#hasExactNumbers && LONG_NUMBER.test(text)) return this.#rowOf(parseJson(text, true))
    const value = parseJson(text, false)
    try {
      return this.#rowOf(value)
    } catch (error) {
      if (error instanceof SourceNeeded) return this.#rowOf(parseJson(text, true))
      throw error
    }
  }

  #rowOf(value: JsonValue): Row {
    if (!isObject(value)) throw unfit('it is not an object')
    try {
      return this.#read(value)
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error
      throw unfit(`${error.path.join('').slice(1, PLACE_LENGTH_MAX)}: ${error.message}`, error)
    }
  }
}

function isParseError(error: unknown): boolean {
  return error instanceof UnreadableRecord && error.errorCode === 'DataFormatConversion.ParseError'
}

function unfit(reason: string, cause?: Mismatch): UnreadableRecord {
  const message = `Data does not match the schema: ${reason}`
  return new UnreadableRecord('MalformedData', message, { cause })
}

function openXRules({
  CaseInsensitive = true,
  ConvertDotsInJsonKeysToUnderscores = false,
}: NonNullable<Deserializer['OpenXJsonSerDe']>): ReadingRules {
  return {
    isLenient: true,
    parseTimestamp: parseAnyTimestamp,
    normalizeKey: (key) => {
      const named = ConvertDotsInJsonKeysToUnderscores ? key.replaceAll('.', '_') : key
      return CaseInsensitive ? named.toLowerCase() : named
    },
  }
}

function hiveRules({
  TimestampFormats = [],
}: NonNullable<Deserializer['HiveJsonSerDe']>): ReadingRules {
  const parsers = TimestampFormats.map((format) =>
    format === MILLIS ? parseMillis : compileTimestampPattern(format),
  )
  if (parsers.length === 0) parsers.push(parseSqlTimestamp)
  return {
    isLenient: false,
    parseTimestamp: (text) => {
      for (const parse of parsers) {
        const micros = parse(text)
        if (micros !== undefined) return micros
      }
      return undefined
    },
    normalizeKey: (key) => key.toLowerCase(),
  }
}

function refuseDots(fields: readonly HiveField[]): void {
  const dotted = fields.find(({ name }) => name.includes('.'))
  if (dotted === undefined) return
  throw new InvalidSchema(
    `HiveJsonSerDe takes no column names with periods, such as ${dotted.name}; OpenXJsonSerDe does`,
  )
}
