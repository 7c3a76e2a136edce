/**
 * A batch into a table of a Redshift cluster, which reads the staged objects from S3 by itself:
 *
 *   BEGIN ▸ LOCK the ledger ▸ row there? done : COPY … MANIFEST ▸ ledger row ▸ COMMIT
 *
 * Redshift keeps no primary keys, hence the lock: it waits for an attempt that we have given up and
 * the cluster has not.
 */
import { escapeLiteral } from 'pg'
import type { DeliverJob, DestinationContext, RecordFailure } from '../../src/destination.ts'
import type { RedshiftConfiguration } from './configuration.ts'
import { databaseFailure } from './failure.ts'
import { createLedger, ledgerBeside, ledgerValues } from './ledger.ts'
import type { CopyTarget } from './plan.ts'
import { commit } from './postgres-load.ts'
import type { Session } from './session.ts'
import { parseColumnNames, parseTableName, quoteColumns, quoteTable } from './table-name.ts'

/** @throws DeliveryError */
export async function loadIntoRedshift(
  session: Session,
  job: DeliverJob,
  { clock }: DestinationContext,
): Promise<readonly RecordFailure[]> {
  const { CopyCommand } = job.stream.destination as RedshiftConfiguration
  const table = parseTableName(CopyCommand.DataTableName)
  const ledger = ledgerBeside(table)
  const act = `copy into ${CopyCommand.DataTableName}`
  try {
    await createLedger(session, table)
    await session.query('BEGIN')
    await session.query(`LOCK ${ledger}`)
    const { rowCount } = await session.query(
      `SELECT 1 FROM ${ledger} WHERE batch_id = ${escapeLiteral(job.batch.batchId)}`,
    )
    if (rowCount !== 0) return []
    await session.query(copyStatement(job))
    await session.query(
      `INSERT INTO ${ledger} (batch_id, stream_name, refused, loaded_at) VALUES (${ledgerValues(job.batch, job.stream, clock.nowMs())})`,
    )
  } catch (error) {
    throw databaseFailure(act, error, 'none')
  }
  await commit(session, act)
  return []
}

function copyStatement({ stream, output }: DeliverJob): string {
  const { CopyCommand, RoleARN } = stream.destination as RedshiftConfiguration
  const { DataTableName, DataTableColumns = '', CopyOptions = '' } = CopyCommand
  const { manifest = '' } = output.target as CopyTarget
  const columns =
    DataTableColumns.trim() === ''
      ? ''
      : ` (${quoteColumns(parseColumnNames(DataTableColumns, 'DataTableColumns'))})`
  const table = quoteTable(parseTableName(DataTableName))
  const statement = `COPY ${table}${columns} FROM ${escapeLiteral(manifest)} IAM_ROLE ${escapeLiteral(RoleARN)} MANIFEST ${CopyOptions}`
  return statement.trimEnd()
}
