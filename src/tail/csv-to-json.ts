import { jsonLine, textOf } from './json-line.ts'

export interface CsvColumns {
  readonly fieldNames: readonly string[]
  readonly delimiter: string
}

/**
 * The agent's CSVTOJSON: cut at every delimiter, quotes mean nothing. A column that is missing, or
 * empty with nothing after it, is null; columns beyond the names are left out.
 */
export function csvToJson(record: Buffer, { fieldNames, delimiter }: CsvColumns): Buffer {
  const columns = textOf(record).split(delimiter)
  while (columns.length > 1 && columns.at(-1) === '') columns.pop()
  return jsonLine(fieldNames, columns)
}
