/** Takes apart records in which a producer put several, as AWS's RecordDeAggregation does. */
import { strict as assert } from 'node:assert'
import type { Clock } from '../../base/clock.ts'
import type { ProcessingFailure, Processor } from '../../processor.ts'
import { JsonObjectsError, jsonObjectsIn } from './concatenated-objects.ts'
import { splitRecords } from './split-records.ts'
import type { Split } from './split-records.ts'

/** Of a record that holds more, AWS says nothing and hands it on as it is. */
const PARTS_MAX = 500

export interface RecordDeaggregationOptions {
  readonly subRecordType: 'JSON' | 'DELIMITED'
  /** Of DELIMITED, decoded; not empty. */
  readonly delimiter?: Buffer
  readonly clock: Clock
}

/**
 * JSON: objects one after the other, with white space between them or nothing; the white space goes.
 * DELIMITED: what is between delimiters and is not empty. A record without any part is dropped.
 */
export function recordDeaggregation(options: RecordDeaggregationOptions): Processor {
  const { subRecordType, delimiter, clock } = options
  if (subRecordType === 'JSON') {
    return {
      process: (records, job) =>
        splitRecords(records, job, ({ data }) => splitObjects(data, () => clock.nowMs())),
    }
  }
  assert(delimiter !== undefined && delimiter.byteLength > 0)
  return {
    process: (records, job) =>
      splitRecords(records, job, ({ data }) => atMost(piecesBetween(data, delimiter))),
  }
}

function splitObjects(data: Buffer, nowMs: () => number): Split {
  try {
    return atMost(jsonObjectsIn(data))
  } catch (error) {
    if (!(error instanceof JsonObjectsError)) throw error
    return malformed(error.message, nowMs())
  }
}

/** Looks no further than it must to know that there are too many. */
function atMost(parts: Iterable<Buffer>): Split {
  const taken: Buffer[] = []
  for (const part of parts) {
    if (taken.length === PARTS_MAX) return 'whole'
    taken.push(part)
  }
  return taken
}

function* piecesBetween(data: Buffer, delimiter: Buffer): Generator<Buffer> {
  let start = 0
  while (start < data.byteLength) {
    const found = data.indexOf(delimiter, start)
    const end = found === -1 ? data.byteLength : found
    if (end > start) yield data.subarray(start, end)
    start = end + delimiter.byteLength
  }
}

function malformed(reason: string, atMs: number): ProcessingFailure {
  return {
    errorOutputType: 'processing-failed',
    errorCode: 'RecordDeAggregation.MalformedJson',
    errorMessage: `Cannot de-aggregate the record: ${reason}`,
    attemptsMade: 1,
    atMs,
  }
}
