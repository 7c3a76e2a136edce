/** What loads would make of records, without any: the database is asked for its columns at most. */
import type {
  DestinationContext,
  ExplainJob,
  ExplainedItem,
  ExplainedRecords,
  RecordFailure,
} from '../../src/destination.ts'
import type { RedshiftConfiguration } from './configuration.ts'
import { databaseFailure } from './failure.ts'
import type { CopyTarget } from './plan.ts'
import { checkPaths, copyOptions } from './postgres-load.ts'
import { recordRows } from './record-rows.ts'
import { RowRefused } from './row-refused.ts'
import type { Session } from './session.ts'
import { tableColumns } from './table-columns.ts'
import { parseColumnNames, parseTableName } from './table-name.ts'

/**
 * The rows of each record, by the columns that the table has now. What only the table can find out, a
 * value that is not of its column's type or a constraint that is broken, is not found.
 * @throws DeliveryError
 */
export async function explainPostgresRows(
  session: Session,
  job: ExplainJob,
  context: DestinationContext,
): Promise<ExplainedRecords> {
  const { CopyCommand } = job.stream.destination as RedshiftConfiguration
  const { DataTableName, DataTableColumns, CopyOptions = '' } = CopyCommand
  const options = await copyOptions(CopyOptions, context, job.signal)
  const columns = await tableColumns(
    session,
    parseTableName(DataTableName),
    DataTableColumns,
  ).catch((error: unknown) => {
    throw databaseFailure(`look at ${DataTableName}`, error, 'none')
  })
  checkPaths(options, columns)
  const items: ExplainedItem[] = []
  const refused: RecordFailure[] = []
  for await (const group of job.records()) {
    for (const { ordinal, data } of group) {
      try {
        const rows = recordRows(data, columns, options).map((row) =>
          Object.fromEntries(columns.map(({ name }, index) => [name, row[index] ?? null])),
        )
        items.push({ ordinal, item: { table: DataTableName, rows } })
      } catch (error) {
        if (!(error instanceof RowRefused)) throw error
        const { code: errorCode, message: errorMessage } = error
        refused.push({ ordinal, errorCode, errorMessage, retryable: false, effect: 'none' })
      }
    }
  }
  return { items, refused }
}

/** What a cluster would read, which makes rows of it by itself. */
export async function explainRedshiftCopy(job: ExplainJob): Promise<ExplainedRecords> {
  const { CopyCommand } = job.stream.destination as RedshiftConfiguration
  const { DataTableColumns = '' } = CopyCommand
  const { table } = job.output.target as CopyTarget
  const item = {
    table,
    ...(DataTableColumns.trim() !== '' && {
      columns: parseColumnNames(DataTableColumns, 'DataTableColumns'),
    }),
  }
  const items: ExplainedItem[] = []
  for await (const group of job.records()) {
    for (const { ordinal, data } of group) items.push({ ordinal, item, data: Buffer.from(data) })
  }
  return { items, refused: [] }
}
