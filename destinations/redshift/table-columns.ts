import { escapeLiteral } from 'pg'
import type { Column } from './columns.ts'
import type { DatabaseFailure } from './failure.ts'
import type { Session } from './session.ts'
import { parseColumnNames, quoteTable } from './table-name.ts'
import type { TableName } from './table-name.ts'

/** The bytes of a varlena's header, which the catalog counts in. */
const MODIFIER_OFFSET = 4

/**
 * The columns that a load fills: those that are named, else all that the table does not fill by
 * itself (identity and generated ones), in the table's order.
 * @throws DatabaseFailure 42P01 without the table, 42703 without a column
 */
export async function tableColumns(
  session: Session,
  table: TableName,
  named: string | undefined,
): Promise<readonly Column[]> {
  const { rows } = await session.query(
    `SELECT a.attname AS name, base.typname AS type, base.typcategory AS category,
      CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS modifier,
      a.attidentity <> '' OR a.attgenerated <> '' AS filled
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_type base ON base.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
    WHERE a.attrelid = ${escapeLiteral(quoteTable(table))}::regclass AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum`,
  )
  if (named === undefined || named.trim() === '') {
    return rows.filter(({ filled }) => filled !== true).map(columnOf)
  }
  return parseColumnNames(named, 'DataTableColumns').map((name) => {
    const row = rows.find((row) => row['name'] === name)
    if (row === undefined) throw columnNotFound(name)
    return columnOf(row)
  })
}

function columnOf(row: Readonly<Record<string, unknown>>): Column {
  const name = String(row['name'])
  const modifier = Number(row['modifier'])
  if (row['category'] === 'S') {
    return { name, kind: 'text', ...(modifier > 0 && { lengthMax: modifier - MODIFIER_OFFSET }) }
  }
  switch (row['type']) {
    case 'date':
      return { name, kind: 'date' }
    case 'timestamp':
    case 'timestamptz':
      return { name, kind: 'time' }
    case 'json':
    case 'jsonb':
      return { name, kind: 'json' }
    default:
      return { name, kind: 'other' }
  }
}

function columnNotFound(name: string): DatabaseFailure {
  const error = new Error(`column "${name}" does not exist`)
  return Object.assign(error, { code: '42703', severity: 'ERROR' })
}
