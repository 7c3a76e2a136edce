/**
 * Standpipe's own processor of type SQL: a SELECT over the batch's records, which are the table
 * `records` (sql-shape.ts says with which columns); each row of the result is a record of JSON. A batch
 * is one run, so that aggregates and windows are over the batch.
 *
 * A row has no origin among the records, and in the books it takes the place of one: the first row of
 * the first record, and so on. Records that no row is left for are dropped; rows that no record is left
 * for are made.
 */
import type { Clock } from '../../base/clock.ts'
import type { ProcessingJob, ProcessingRecord, Processor, Records } from '../../processor.ts'
import { SqlQueryError } from './sql-engine.ts'
import type { SqlEngine } from './sql-engine.ts'
import { unpack } from './sql-messages.ts'
import type { RecordPack } from './sql-messages.ts'

const GROUP_RECORDS_MAX = 1_000

export interface SqlOptions {
  /** Checked by the engine when the stream was made. */
  readonly query: string
  readonly engine: SqlEngine
  readonly clock: Clock
}

export function sql(options: SqlOptions): Processor {
  return { process: (records, job) => runQuery(records, job, options) }
}

async function* runQuery(
  records: Records,
  job: ProcessingJob,
  { query, engine, clock }: SqlOptions,
): Records {
  const batch = await gathered(records)
  if (batch.length === 0) return
  const fail = (record: ProcessingRecord, errorCode: string, errorMessage: string): void =>
    job.fail(record, {
      errorOutputType: 'processing-failed',
      errorCode,
      errorMessage,
      attemptsMade: 1,
      atMs: clock.nowMs(),
    })
  const datas = batch.map(({ data }) => data)
  const outcome = await engine.run(query, datas, job.signal).catch((error: unknown) => {
    if (error instanceof SqlQueryError) return error
    throw error
  })
  if (outcome instanceof SqlQueryError) {
    for (const record of batch) fail(record, 'SQL.QueryFailed', outcome.message)
    return
  }
  const reasons = new Map(outcome.rejected.map(({ index, reason }) => [index, reason]))
  const taken: ProcessingRecord[] = []
  for (const [index, record] of batch.entries()) {
    const reason = reasons.get(index)
    if (reason === undefined) taken.push(record)
    else fail(record, 'SQL.InvalidRecord', reason)
  }
  yield* rowRecords(outcome.rows, taken, job)
}

/** Rows in the places of records. Of no records there are no rows, not even a count of 0. */
function* rowRecords(
  packs: readonly RecordPack[],
  records: readonly ProcessingRecord[],
  job: ProcessingJob,
): Generator<readonly ProcessingRecord[]> {
  const [first] = records
  const last = records.at(-1)
  if (first === undefined || last === undefined) return
  let rowCount = 0
  let group: ProcessingRecord[] = []
  for (const pack of packs) {
    for (const data of unpack(pack)) {
      const { ordinal, part } = records[rowCount] ?? {
        ordinal: last.ordinal,
        part: (last.part ?? 0) + rowCount - records.length + 1,
      }
      const place = part === undefined ? { ordinal } : { ordinal, part }
      group.push({ ...place, arrivalMs: first.arrivalMs, data, original: data })
      rowCount += 1
      if (group.length < GROUP_RECORDS_MAX) continue
      yield group
      group = []
    }
  }
  if (group.length > 0) yield group
  for (const record of records.slice(rowCount)) job.drop(record)
  if (rowCount > records.length) job.made(rowCount - records.length)
}

/** All records, in memory of their own. */
async function gathered(records: Records): Promise<readonly ProcessingRecord[]> {
  const batch: ProcessingRecord[] = []
  for await (const group of records) {
    const sizeBytes = group.reduce((sum, { data, original }) => {
      return sum + data.byteLength + (original === data ? 0 : original.byteLength)
    }, 0)
    const memory = Buffer.allocUnsafeSlow(sizeBytes)
    let end = 0
    const copied = (bytes: Buffer): Buffer => {
      const start = end
      end += bytes.copy(memory, start)
      return memory.subarray(start, end)
    }
    for (const record of group) {
      const data = copied(record.data)
      const original = record.original === record.data ? data : copied(record.original)
      batch.push({ ...record, data, original })
    }
  }
  return batch
}
