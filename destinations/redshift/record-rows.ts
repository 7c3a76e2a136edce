/**
 * A record as rows of its table, in the text format of Postgres's COPY: fields between tabs, one row a
 * line, `\N` for NULL. A record is one or more whole rows; they arrive together or not at all.
 */
import { csvFields } from './csv-fields.ts'
import { valueOf } from './columns.ts'
import type { Column } from './columns.ts'
import type { CopyOptions } from './copy-options.ts'
import { delimitedFields } from './delimited-fields.ts'
import { jsonFields } from './json-fields.ts'
import { BAD_COPY_FORMAT, INVALID_TEXT, NOT_NULL_VIOLATION, RowRefused } from './row-refused.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })
const SPECIAL = /[\\\t\n\r]/
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
}

/**
 * The rows of a record, none of an empty one: a value for each column, as Postgres reads it.
 * @throws RowRefused
 */
export function recordRows(
  data: Buffer,
  columns: readonly Column[],
  options: CopyOptions,
): readonly (readonly (string | null)[])[] {
  return fieldsOf(decode(data), columns, options).map((fields) =>
    fill(fields, columns, options).map((field, index) => {
      const column = columns[index]
      if (column === undefined) return field
      const value = valueOf(field, column, options)
      if (value === null) checkKey(column, options)
      return value
    }),
  )
}

/**
 * The lines of a record, each without its end; none of an empty one.
 * @throws RowRefused
 */
export function recordLines(
  data: Buffer,
  columns: readonly Column[],
  options: CopyOptions,
): readonly string[] {
  return recordRows(data, columns, options).map((row) =>
    row.map((value) => (value === null ? '\\N' : escape(value))).join('\t'),
  )
}

function decode(data: Buffer): string {
  try {
    return utf8.decode(data)
  } catch {
    throw new RowRefused(INVALID_TEXT, 'invalid byte sequence for encoding "UTF8"')
  }
}

function fieldsOf(text: string, columns: readonly Column[], options: CopyOptions) {
  if (options.format === 'json') return jsonFields(text, columns, options)
  const rows = options.format === 'csv' ? csvFields(text, options) : delimitedFields(text, options)
  return options.ignoreBlankLines
    ? rows.filter((row) => !(row.length === 1 && row[0] === ''))
    : rows
}

function fill(
  fields: readonly (string | null)[],
  columns: readonly Column[],
  { fillRecord }: CopyOptions,
): readonly (string | null)[] {
  if (fields.length === columns.length) return fields
  if (fields.length > columns.length) {
    throw new RowRefused(BAD_COPY_FORMAT, 'extra data after last expected column')
  }
  const missing = columns.slice(fields.length)
  // An empty text, as on Redshift; NULL in all other columns, and with EMPTYASNULL.
  if (fillRecord) return [...fields, ...missing.map(() => '')]
  throw new RowRefused(BAD_COPY_FORMAT, `missing data for column "${missing[0]?.name}"`)
}

/** Two keys with NULL are never equal, so that such a row would be added once more each time. */
function checkKey({ name }: Column, { upsertKey }: CopyOptions): void {
  if (!upsertKey.includes(name)) return
  throw new RowRefused(NOT_NULL_VIOLATION, `null value in column "${name}" of the key of UPSERT`)
}

function escape(value: string): string {
  if (!SPECIAL.test(value)) return value
  return value.replaceAll(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? character)
}
