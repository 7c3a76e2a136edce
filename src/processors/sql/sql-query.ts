/** What a query names, read from DuckDB's own parse of it (`json_serialize_sql`). */
import { strict as assert } from 'node:assert'
import { isJsonObject } from '../../base/json.ts'
import { isRecordColumn } from './sql-view.ts'

export interface Query {
  readonly sql: string
  /** Columns and what is within them, e.g. `['device', 'name']` for `device.name`. */
  readonly paths: readonly (readonly string[])[]
  readonly namesRecord: boolean
}

/** The query can't be one of ours; the message says why. */
export class QueryRefused extends Error {
  override readonly name = 'QueryRefused'
}

/**
 * @param serialized the answer of `json_serialize_sql`
 * @throws QueryRefused when this is no single SELECT over `records`
 */
export function readQuery(sql: string, serialized: string): Query {
  const parse: unknown = JSON.parse(serialized)
  assert(isJsonObject(parse))
  const { error: isRefused, error_message: reason, statements } = parse
  if (isRefused === true) throw new QueryRefused(typeof reason === 'string' ? reason : 'unknown')
  if (!Array.isArray(statements) || statements.length !== 1) {
    throw new QueryRefused('It must be one SELECT statement')
  }
  const tables = new Set<string>()
  const columns: (readonly string[])[] = []
  for (const node of nodesIn(statements[0])) {
    const { type, table_name: table, alias, column_names: path } = node
    if (type === 'BASE_TABLE' && String(table).toLowerCase() === 'records') {
      tables.add(String(alias === '' ? table : alias).toLowerCase())
    }
    if (type === 'COLUMN_REF' && Array.isArray(path)) columns.push(path.map(String))
  }
  if (tables.size === 0) throw new QueryRefused('It must select from the table records')
  const paths = columns.map((path) => withoutTable(path, tables)).filter(({ length }) => length > 0)
  return { sql, paths, namesRecord: paths.some(([name = '']) => isRecordColumn(name)) }
}

function withoutTable(path: readonly string[], tables: ReadonlySet<string>): readonly string[] {
  return tables.has(path[0]?.toLowerCase() ?? '') ? path.slice(1) : path
}

function* nodesIn(value: unknown): Generator<Readonly<Record<string, unknown>>> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield value as Readonly<Record<string, unknown>>
  for (const inner of Object.values(value)) yield* nodesIn(inner)
}
