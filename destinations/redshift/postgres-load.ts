/**
 * A batch into a table of a Postgres that is not Redshift, in one transaction with its ledger row:
 *
 *   BEGIN ▸ ledger row (waits for whoever has it) ▸ columns ▸ COPY, piece by piece ▸ COMMIT
 *
 * The ledger row comes first, so that a transaction of an attempt that we have given up, and that the
 * server has not, is waited for. Until COMMIT is sent nothing can have taken effect.
 */
import { escapeLiteral } from 'pg'
import { ordinalEndOf } from '../../src/batch.ts'
import type { DeliverJob, DestinationContext, RecordFailure } from '../../src/destination.ts'
import { DeliveryError } from '../../src/destination.ts'
import { RecordSet } from '../../src/record-set.ts'
import type { Column } from './columns.ts'
import { tableColumns } from './table-columns.ts'
import type { RedshiftConfiguration } from './configuration.ts'
import { parseCopyOptions } from './copy-options.ts'
import type { CopyOptions } from './copy-options.ts'
import { databaseFailure, isRolledBack } from './failure.ts'
import { readJsonPaths } from './json-paths-file.ts'
import { createLedger, ledgerBeside, ledgerValues } from './ledger.ts'
import { recordLines } from './record-rows.ts'
import { RowLoader } from './row-loader.ts'
import { openRowTarget } from './row-target.ts'
import { RowRefused } from './row-refused.ts'
import type { Session } from './session.ts'
import { parseTableName } from './table-name.ts'

const LOAD_SETTINGS = [
  // A transaction whose client has vanished does not stay.
  "SET LOCAL statement_timeout = '60s'",
  "SET LOCAL idle_in_transaction_session_timeout = '120s'",
  // Rows that break a constraint only at COMMIT could not be told from the others there.
  'SET CONSTRAINTS ALL IMMEDIATE',
].join('; ')

/** @throws DeliveryError */
export async function loadIntoPostgres(
  session: Session,
  job: DeliverJob,
  context: DestinationContext,
): Promise<readonly RecordFailure[]> {
  const { DataTableName } = (job.stream.destination as RedshiftConfiguration).CopyCommand
  const act = `copy into ${DataTableName}`
  let refused: readonly RecordFailure[]
  try {
    refused = await loadUncommitted(session, job, context)
  } catch (error) {
    throw databaseFailure(act, error, 'none')
  }
  await commit(session, act)
  return refused
}

/**
 * An answer that says no means that the transaction was rolled back. No answer means nothing.
 * @throws DeliveryError
 */
export async function commit(session: Session, act: string): Promise<void> {
  try {
    const { command } = await session.query('COMMIT')
    if (command === 'COMMIT') return
  } catch (error) {
    throw databaseFailure(act, error, isRolledBack(error) ? 'none' : 'unknown')
  }
  throw databaseFailure(act, new Error('the transaction was rolled back'), 'none')
}

async function loadUncommitted(
  session: Session,
  job: DeliverJob,
  context: DestinationContext,
): Promise<readonly RecordFailure[]> {
  const { batch, stream } = job
  const { CopyCommand } = stream.destination as RedshiftConfiguration
  const options = await copyOptions(CopyCommand.CopyOptions ?? '', context, job.signal)
  const table = parseTableName(CopyCommand.DataTableName)
  const ledger = ledgerBeside(table)
  await createLedger(session, table)
  await session.query('BEGIN ISOLATION LEVEL READ COMMITTED')
  await session.query(LOAD_SETTINGS)
  const { rowCount } = await session.query(
    `INSERT INTO ${ledger} (batch_id, stream_name, refused, loaded_at) VALUES (${ledgerValues(batch, stream, context.clock.nowMs())}) ON CONFLICT (batch_id) DO NOTHING`,
  )
  const id = escapeLiteral(batch.batchId)
  const earlier =
    rowCount === 1
      ? undefined
      : await session.query(`SELECT refused FROM ${ledger} WHERE batch_id = ${id} FOR UPDATE`)
  const leftOver = earlier && RecordSet.parse(earlier.rows[0]?.['refused'] as string)
  if (leftOver?.size === 0) return []
  const columns = await tableColumns(session, table, CopyCommand.DataTableColumns)
  checkPaths(options, columns)
  const target = await openRowTarget(session, { table, columns, upsertKey: options.upsertKey })
  const refused = await loadRecords(job, leftOver, {
    loader: new RowLoader(session, target),
    columns,
    options,
  })
  if (refused.length > 0 || leftOver !== undefined) {
    const set = RecordSet.empty(ordinalEndOf(batch))
    for (const { ordinal } of refused) set.add(ordinal)
    const text = set.size === 0 ? '' : set.toString()
    await session.query(
      `UPDATE ${ledger} SET refused = ${escapeLiteral(text)} WHERE batch_id = ${id}`,
    )
  }
  return refused
}

/**
 * CopyOptions, with the paths that they name in an object.
 * @throws DeliveryError
 */
export async function copyOptions(
  text: string,
  { objectReader }: DestinationContext,
  signal: AbortSignal,
): Promise<CopyOptions> {
  const options = parseCopyOptions(text)
  const { jsonPathsUrl } = options
  if (jsonPathsUrl === undefined) return options
  return { ...options, jsonPaths: await readJsonPaths(jsonPathsUrl, objectReader, signal) }
}

interface Loading {
  readonly loader: RowLoader
  readonly columns: readonly Column[]
  readonly options: CopyOptions
}

/** @param leftOver what an earlier attempt left over; absent: there was none, and all are to be loaded */
async function loadRecords(
  job: DeliverJob,
  leftOver: RecordSet | undefined,
  { loader, columns, options }: Loading,
): Promise<readonly RecordFailure[]> {
  const { maxError = Infinity } = options
  for await (const records of job.records()) {
    for (const { ordinal, data } of records) {
      if (leftOver !== undefined && !leftOver.has(ordinal)) continue
      try {
        await loader.add({ ordinal, lines: recordLines(data, columns, options) })
      } catch (error) {
        if (!(error instanceof RowRefused)) throw error
        loader.refuse(ordinal, error.code, error.message)
      }
    }
  }
  await loader.flush()
  const refused = loader.refused.toSorted((left, right) => left.ordinal - right.ordinal)
  const [first] = refused
  if (first === undefined || refused.length < maxError) return refused
  throw new DeliveryError(
    'Redshift.DataLoadFailed',
    `Cannot load: MAXERROR was reached, at first by ${first.errorCode} ${first.errorMessage}`,
    { retryable: true, effect: 'none' },
  )
}

/** @throws DeliveryError */
export function checkPaths({ jsonPaths }: CopyOptions, columns: readonly Column[]): void {
  if (typeof jsonPaths === 'string' || jsonPaths.length === columns.length) return
  throw new DeliveryError(
    'Redshift.IncorrectJsonPathsFile',
    `Cannot load: ${jsonPaths.length} JSONPaths for ${columns.length} columns`,
    { retryable: true, effect: 'none', brake: true },
  )
}
