/**
 * DataTableName and DataTableColumns: what SQL takes for a name, and nothing else. A name is folded to
 * lower case unless it stands in double quotes; it leaves here quoted, so that no text of a
 * configuration is ever SQL.
 */
import { escapeIdentifier } from 'pg'
import { ConfigurationError } from '../../src/destination.ts'

export interface TableName {
  /** Absent: where the search path leads. */
  readonly schema?: string
  readonly table: string
}

const NAME = /\s*(?:"((?:[^"]|"")+)"|([\p{L}_][\p{L}\p{N}_$]*))\s*/uy

/** @throws ConfigurationError */
export function parseTableName(text: string): TableName {
  const [first, second, ...rest] = parseNames(text, '.', 'DataTableName')
  if (first === undefined || rest.length > 0) {
    throw new ConfigurationError(
      `Invalid DataTableName '${text}': table or schema.table is expected`,
    )
  }
  return second === undefined ? { table: first } : { schema: first, table: second }
}

/** @throws ConfigurationError */
export function parseColumnNames(text: string, member: string): readonly string[] {
  const names = parseNames(text, ',', member)
  const repeated = names.find((name, index) => names.indexOf(name) !== index)
  if (repeated === undefined) return names
  throw new ConfigurationError(`Invalid ${member}: the column '${repeated}' is named twice`)
}

/** The table, or another one in its schema, as SQL. */
export function quoteTable({ schema, table }: TableName): string {
  return schema === undefined
    ? escapeIdentifier(table)
    : `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`
}

export function quoteColumns(names: readonly string[]): string {
  return names.map((name) => escapeIdentifier(name)).join(', ')
}

function parseNames(text: string, separator: '.' | ',', member: string): string[] {
  const names: string[] = []
  let position = 0
  for (;;) {
    NAME.lastIndex = position
    const match = NAME.exec(text)
    if (match === null) break
    names.push(match[1]?.replaceAll('""', '"') ?? (match[2] ?? '').toLowerCase())
    position = NAME.lastIndex
    if (text[position] !== separator) break
    position += 1
  }
  if (names.length > 0 && position === text.length && !text.endsWith(separator)) return names
  throw new ConfigurationError(`Invalid ${member} '${text}': names of SQL are expected`)
}
