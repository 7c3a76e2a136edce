import type { Firehose } from '@aws-sdk/client-firehose'
import { putAnswerOf } from './record-sink.ts'
import type { RecordSink } from './record-sink.ts'

/** PutRecordBatch. The SDK's own retries must be off, so that attempts are counted once. */
export function firehoseSink(firehose: Firehose, DeliveryStreamName: string): RecordSink {
  return {
    limits: { recordsMax: 500, batchBytesMax: 4 * 1024 * 1024, recordBytesMax: 1_024_000 },
    async put(records) {
      const { RequestResponses } = await firehose.putRecordBatch({
        DeliveryStreamName,
        Records: records.map(({ data }) => ({ Data: data })),
      })
      return putAnswerOf(records.length, RequestResponses)
    },
  }
}
