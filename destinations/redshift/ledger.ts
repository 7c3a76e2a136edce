/**
 * The ledger of a schema: a row for each batch that was loaded into one of its tables, written in the
 * transaction of the load. It is how a repeat knows what an attempt did whose answer was lost.
 *
 *   standpipe_ledger:  batch_id | stream_name | refused | loaded_at (UTC)
 *
 * `refused` is the set of the batch's records that the table did not take (a RecordSet, empty: none).
 * A repeat offers the table these, and none of the others. A batch that has a receipt is never
 * repeated, so that an operator may delete rows older than the longest retention.
 */
import { escapeLiteral } from 'pg'
import type { SealedBatch } from '../../src/batch.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { DatabaseFailure } from './failure.ts'
import type { Session } from './session.ts'
import { quoteTable } from './table-name.ts'
import type { TableName } from './table-name.ts'

const LEDGER = 'standpipe_ledger'
/** Somebody else made it at the same time. */
const EXISTS_CODES = ['23505', '42P07', '42710']

/** The ledger beside a table, as SQL. */
export function ledgerBeside({ schema }: TableName): string {
  return quoteTable(schema === undefined ? { table: LEDGER } : { schema, table: LEDGER })
}

/** Asked for first: to create a table takes a permission, even when it is there already. */
export async function createLedger(session: Session, { schema }: TableName): Promise<void> {
  const where = schema === undefined ? 'current_schema()' : escapeLiteral(schema)
  const { rowCount } = await session.query(
    `SELECT 1 FROM pg_tables WHERE schemaname = ${where} AND tablename = '${LEDGER}'`,
  )
  if (rowCount !== 0) return
  const ledger = schema === undefined ? { table: LEDGER } : { schema, table: LEDGER }
  try {
    await session.query(
      `CREATE TABLE IF NOT EXISTS ${quoteTable(ledger)} (batch_id varchar(26) NOT NULL PRIMARY KEY, stream_name varchar(64) NOT NULL, refused text NOT NULL, loaded_at timestamp NOT NULL)`,
    )
  } catch (error) {
    if (!EXISTS_CODES.includes((error as DatabaseFailure).code ?? '')) throw error
  }
}

/** The values of a new row, as SQL. */
export function ledgerValues(batch: SealedBatch, stream: DeliveryStream, nowMs: number): string {
  const values = [batch.batchId, stream.name, '', new Date(nowMs).toISOString().slice(0, -1)]
  return values.map((value) => escapeLiteral(value)).join(', ')
}
