/** What stages have in common that make many records of one. */
import type {
  ProcessingFailure,
  ProcessingJob,
  ProcessingRecord,
  Records,
} from '../../processor.ts'

/** Parts of the record's bytes in order, `whole` when it stays as it is, or why it can't be split. */
export type Split = readonly Buffer[] | 'whole' | ProcessingFailure

const GROUP_RECORDS_MAX = 1_000

/**
 * Puts each record's parts in its place. A part is what error outputs get to see; a record without any
 * is dropped. Parts are numbered through over all that came of one accepted record, also where a stage
 * before had split it already.
 */
export async function* splitRecords(
  records: Records,
  job: ProcessingJob,
  split: (record: ProcessingRecord) => Split,
): Records {
  const numbering = new PartNumbering()
  for await (const group of records) {
    let out: ProcessingRecord[] = []
    for (const record of group) {
      const result = split(record)
      if (result === 'whole') {
        out.push(numbering.keep(record))
      } else if ('errorCode' in result) {
        job.fail(record, result)
      } else if (result.length === 0) {
        job.drop(record)
      } else {
        job.made(result.length - 1)
        for (const data of result) {
          out.push({ ...record, data, original: data, part: numbering.next(record.ordinal) })
          if (out.length < GROUP_RECORDS_MAX) continue
          yield out
          out = []
        }
      }
    }
    if (out.length > 0) yield out
  }
}

/** Records of one ordinal come one after the other, also over groups. */
class PartNumbering {
  #ordinal = -1
  #next = 0

  next(ordinal: number): number {
    if (ordinal !== this.#ordinal) {
      this.#ordinal = ordinal
      this.#next = 0
    }
    this.#next += 1
    return this.#next - 1
  }

  keep(record: ProcessingRecord): ProcessingRecord {
    return record.part === undefined ? record : { ...record, part: this.next(record.ordinal) }
  }
}
