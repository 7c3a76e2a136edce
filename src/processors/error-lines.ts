/**
 * What becomes of a record that a processor failed (facts: sections 4 and 6): a line of JSON in the
 * error output, with the members that objects of AWS's own were seen to have, in their order, which is
 * not that of the manual:
 *
 *   format-conversion-failed  attemptsMade, arrivalTimestamp, lastErrorCode, lastErrorMessage,
 *                             attemptEndingTimestamp, rawData, then the failure's own
 *   all others                rawData, errorCode, errorMessage, attemptsMade, arrivalTimestamp,
 *                             attemptEndingTimestamp, then the failure's own
 *
 * Times are in ms since the epoch; rawData is the record as it was accepted, or the part split off it,
 * in base64.
 */
import type { JsonObject } from '../base/json.ts'
import type { ProcessingFailure, ProcessingRecord } from '../processor.ts'

/** Ends with a line feed and holds no other. */
export function errorLine(record: ProcessingRecord, failure: ProcessingFailure): string {
  const isConversion = failure.errorOutputType === 'format-conversion-failed'
  const members = isConversion ? conversionMembers(record, failure) : stageMembers(record, failure)
  return `${JSON.stringify({ ...members, ...failure.members })}\n`
}

function stageMembers(
  { arrivalMs, original }: ProcessingRecord,
  { errorCode, errorMessage, attemptsMade, atMs }: ProcessingFailure,
): JsonObject {
  return {
    rawData: original.toString('base64'),
    errorCode,
    errorMessage,
    attemptsMade,
    arrivalTimestamp: arrivalMs,
    attemptEndingTimestamp: atMs,
  }
}

function conversionMembers(
  { arrivalMs, original }: ProcessingRecord,
  { errorCode, errorMessage, attemptsMade, atMs }: ProcessingFailure,
): JsonObject {
  return {
    attemptsMade,
    arrivalTimestamp: arrivalMs,
    lastErrorCode: errorCode,
    lastErrorMessage: errorMessage,
    attemptEndingTimestamp: atMs,
    rawData: original.toString('base64'),
  }
}
