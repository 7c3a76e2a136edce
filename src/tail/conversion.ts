/**
 * What becomes of a record between the file and the stream: the Kinesis Agent's
 * `dataProcessingOptions`, in one fixed order. What is converted ends with a newline; what isn't
 * stays as it is, byte by byte.
 */
import { csvToJson } from './csv-to-json.ts'
import type { CsvColumns } from './csv-to-json.ts'
import { logToJson } from './log-to-json.ts'
import type { LogPattern } from './log-to-json.ts'
import { singleLine } from './single-line.ts'

/** Undefined: the record does not have the form it should have. */
export type Conversion = (record: Buffer) => Buffer | undefined

export interface ConversionOptions {
  readonly singleLine: boolean
  readonly csv: CsvColumns | undefined
  readonly log: LogPattern | undefined
}

export function conversionOf({
  singleLine: isSingleLine,
  csv,
  log,
}: ConversionOptions): Conversion {
  const joined = isSingleLine ? singleLine : (record: Buffer) => record
  if (csv !== undefined) return (record) => csvToJson(joined(record), csv)
  if (log !== undefined) return (record) => logToJson(joined(record), log)
  return joined
}
