/**
 * How the rows of a query become JSON: in DuckDB, by an expression over them. Whole numbers and decimals
 * keep all their digits; times are ISO 8601, those with a time zone in UTC; what is not a number is
 * null; bytes are base64; all other types without a form in JSON are text, as DuckDB writes them.
 */
import type {
  DuckDBArrayType,
  DuckDBListType,
  DuckDBMapType,
  DuckDBStructType,
  DuckDBType,
} from '@duckdb/node-api'
import { RECORD_COLUMN, quoteName, quoteText } from './sql-view.ts'

export interface Column {
  readonly name: string
  readonly type: DuckDBType
}

/** DuckDB's names of types, as far as they are not written by `to_json` as they should be. */
interface TypeIds {
  readonly [name: string]: number | string
}

/** A query over `output` with a single column, the row's JSON as text. */
export function rowsQuery(columns: readonly Column[], typeIds: TypeIds): string {
  return `SELECT ${rowExpression(columns, typeIds)}::VARCHAR FROM output`
}

function rowExpression(columns: readonly Column[], typeIds: TypeIds): string {
  const [first] = columns
  if (columns.length === 1 && first?.name === RECORD_COLUMN && first.type.alias === 'JSON') {
    return `coalesce(${quoteName(RECORD_COLUMN)}, 'null')`
  }
  const members = columns.map(({ name, type }) => {
    return `${quoteText(name)}, ${jsonReady(type, quoteName(name), typeIds, 0)}`
  })
  return `json_object(${members.join(', ')})`
}

/** An expression whose value `to_json` writes as it should be; the value itself when it does anyway. */
function jsonReady(type: DuckDBType, value: string, typeIds: TypeIds, depth: number): string {
  const element = `e${depth}`
  const inner = (innerType: DuckDBType, innerValue: string): string =>
    jsonReady(innerType, innerValue, typeIds, depth + 1)
  switch (typeIds[type.typeId]) {
    case 'DOUBLE':
      return `CASE WHEN isfinite(${value}) THEN ${value} END`
    case 'FLOAT':
      // By its text: 0.1 and not 0.10000000149011612.
      return `CASE WHEN isfinite(${value}) THEN ${value}::VARCHAR::DOUBLE END`
    case 'TIMESTAMP':
    case 'TIMESTAMP_S':
    case 'TIMESTAMP_MS':
    case 'TIMESTAMP_NS':
      return `replace(${value}::VARCHAR, ' ', 'T')`
    case 'TIMESTAMP_TZ':
      return `replace(replace(${value}::VARCHAR, ' ', 'T'), '+00', 'Z')`
    case 'BLOB':
      return `base64(${value})`
    case 'UNION':
    case 'VARIANT':
      return `${value}::VARCHAR`
    case 'LIST':
    case 'ARRAY': {
      const ready = inner((type as DuckDBListType | DuckDBArrayType).valueType, element)
      return ready === element ? value : `list_transform(${value}, lambda ${element}: ${ready})`
    }
    case 'MAP': {
      const ready = inner((type as DuckDBMapType).valueType, `${element}.value`)
      if (ready === `${element}.value`) return value
      return `map_from_entries(list_transform(map_entries(${value}), lambda ${element}: struct_pack(k := ${element}.key, v := ${ready})))`
    }
    case 'STRUCT': {
      const { entryNames, entryTypes } = type as DuckDBStructType
      const members = entryTypes.map((entryType, index) => {
        const name = quoteName(entryNames[index] ?? '')
        const member = `${value}.${name}`
        return { name, member, ready: inner(entryType, member) }
      })
      if (members.every(({ member, ready }) => ready === member)) return value
      const packed = members.map(({ name, ready }) => `${name} := ${ready}`).join(', ')
      return `CASE WHEN ${value} IS NOT NULL THEN struct_pack(${packed}) END`
    }
    default:
      return value
  }
}
