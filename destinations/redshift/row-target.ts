/**
 * How lines get into a table: by COPY, or with a key by COPY into a temporary table and from there by
 * INSERT … ON CONFLICT. Of several lines with one key, the last counts.
 */
import { escapeIdentifier } from 'pg'
import type { Column } from './columns.ts'
import type { CopyLines } from './row-loader.ts'
import type { Session } from './session.ts'
import { quoteColumns, quoteTable } from './table-name.ts'
import type { TableName } from './table-name.ts'

export interface RowTargetOptions {
  readonly table: TableName
  readonly columns: readonly Column[]
  /** Empty: rows are only added. */
  readonly upsertKey: readonly string[]
}

const STAGING = 'standpipe_rows'
/** Of each staged line, where it stood. */
const POSITION = 'standpipe_position'

/** To be called within the transaction of the load. */
export async function openRowTarget(
  session: Session,
  { table, columns, upsertKey }: RowTargetOptions,
): Promise<CopyLines> {
  const target = quoteTable(table)
  const names = columns.map(({ name }) => name)
  const list = quoteColumns(names)
  if (upsertKey.length === 0) {
    return (lines) => session.copy(`COPY ${target} (${list}) FROM STDIN`, bytesOf(lines))
  }
  await session.query(
    `CREATE TEMPORARY TABLE ${STAGING} ON COMMIT DROP AS SELECT 0::integer AS ${POSITION}, ${list} FROM ${target} WITH NO DATA`,
  )
  const key = quoteColumns(upsertKey)
  const merge = `INSERT INTO ${target} (${list}) SELECT DISTINCT ON (${key}) ${list} FROM pg_temp.${STAGING} ORDER BY ${key}, ${POSITION} DESC ON CONFLICT (${key}) ${conflictAction(names, upsertKey)}`
  return async (lines) => {
    await session.copy(
      `COPY pg_temp.${STAGING} (${POSITION}, ${list}) FROM STDIN`,
      bytesOf(lines.map((line, index) => `${index}\t${line}`)),
    )
    await session.query(merge)
    await session.query(`DELETE FROM pg_temp.${STAGING}`)
  }
}

function conflictAction(names: readonly string[], upsertKey: readonly string[]): string {
  const assignments = names
    .filter((name) => !upsertKey.includes(name))
    .map((name) => `${escapeIdentifier(name)} = EXCLUDED.${escapeIdentifier(name)}`)
  return assignments.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${assignments.join(', ')}`
}

function bytesOf(lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join('\n')}\n`)
}
