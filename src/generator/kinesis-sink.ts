import type { Kinesis } from '@aws-sdk/client-kinesis'
import { putAnswerOf } from './record-sink.ts'
import type { RecordSink } from './record-sink.ts'

const MIB = 1024 * 1024

/** PutRecords. The SDK's own retries must be off, so that attempts are counted once. */
export function kinesisSink(kinesis: Kinesis, StreamName: string): RecordSink {
  return {
    limits: { recordsMax: 500, batchBytesMax: 5 * MIB, recordBytesMax: MIB },
    async put(records) {
      const { Records } = await kinesis.putRecords({
        StreamName,
        Records: records.map(({ data, partitionKey }) => ({
          Data: data,
          PartitionKey: partitionKey,
        })),
      })
      return putAnswerOf(records.length, Records)
    },
  }
}
