/** Takes apart what the Kinesis Producer Library aggregated. Everything else passes as it is. */
import type { Processor } from '../../processor.ts'
import { kplRecords } from './kpl-aggregate.ts'
import { splitRecords } from './split-records.ts'

export function kplDeaggregation(): Processor {
  return {
    process: (records, job) =>
      splitRecords(records, job, ({ data }) => kplRecords(data) ?? 'whole'),
  }
}
