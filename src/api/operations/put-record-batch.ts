import { encodeRecordId } from '../../record.ts'
import { preparePut } from '../put/put-call.ts'
import type { PutOutcome } from '../put/put-call.ts'
import type { RawOperation } from '../operation.ts'

/**
 * All records of a batch are one durable write, so FailedPutCount is always 0: what can't be taken
 * is refused as a whole with ServiceUnavailableException, which SDKs retry by themselves.
 */
export const putRecordBatch: RawOperation = {
  raw: true,
  prepare: (body, context) => preparePut('PutRecordBatch', body, context, answer),
}

/**
 * Written by hand: half the cost of JSON.stringify. Members in AWS's order and without spaces, for
 * Fluent Bit looks for the text `"FailedPutCount":0` in the first 4 KiB.
 */
function answer({ batchId, firstOrdinal, recordCount, encrypted }: PutOutcome): string {
  const recordIds: string[] = []
  for (let record = 0; record < recordCount; record += 1) {
    recordIds.push(encodeRecordId(batchId, firstOrdinal + record))
  }
  const entries = `{"RecordId":"${recordIds.join('"},{"RecordId":"')}"}`
  return `{"Encrypted":${encrypted},"FailedPutCount":0,"RequestResponses":[${entries}]}`
}
