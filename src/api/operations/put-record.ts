import { encodeRecordId } from '../../record.ts'
import { preparePut } from '../put/put-call.ts'
import type { RawOperation } from '../operation.ts'

export const putRecord: RawOperation = {
  raw: true,
  prepare(body, context) {
    return preparePut('PutRecord', body, context, ({ batchId, firstOrdinal, encrypted }) => {
      const recordId = encodeRecordId(batchId, firstOrdinal)
      return `{"Encrypted":${encrypted},"RecordId":"${recordId}"}`
    })
  },
}
