import { truncated } from './bounded-bytes.ts'
import type { Conversion } from './conversion.ts'
import type { CutRecord } from './record-cutter.ts'

/** Of one record, as of the Kinesis Agent: 1,000 KiB. */
export const RECORD_BYTES_MAX = 1_024_000
const NEWLINE = 0x0a

export interface ShapingOptions {
  readonly convert: Conversion
  /** Records that have not the form to be converted are sent as they are. */
  readonly keepUnmatched: boolean
  readonly keepNewline: boolean
}

export interface ShapedRecord {
  /** Undefined: there is nothing to send. */
  readonly data: Buffer | undefined
  readonly isTruncated: boolean
  /** It has not the form to be converted. */
  readonly isUnmatched: boolean
}

/** What is sent of a record of a file. */
export function shapeRecord(record: CutRecord, options: ShapingOptions): ShapedRecord {
  if (record.data === undefined) return { ...record, data: undefined, isUnmatched: false }
  const converted = options.convert(record.data)
  const isUnmatched = converted === undefined
  const kept = isUnmatched && options.keepUnmatched ? record.data : converted
  if (kept === undefined) return { data: undefined, isTruncated: record.isTruncated, isUnmatched }
  const isTooLong = kept.byteLength > RECORD_BYTES_MAX
  const bounded = isTooLong ? truncated(kept, RECORD_BYTES_MAX) : kept
  const data = options.keepNewline ? bounded : withoutNewline(bounded)
  return { data, isTruncated: record.isTruncated || isTooLong, isUnmatched }
}

function withoutNewline(data: Buffer): Buffer {
  return data.at(-1) === NEWLINE ? data.subarray(0, -1) : data
}
