import type { StoredChunk } from '../batch-store.ts'
import { recordsOf } from '../chunk.ts'
import type { BatchRecord } from '../destination.ts'

/** The records of a batch that an output still has to deliver, chunk by chunk. */
export async function* pendingRecords(
  chunks: AsyncIterable<StoredChunk>,
  output: { isPending(ordinal: number): boolean },
): AsyncGenerator<readonly BatchRecord[]> {
  for await (const chunk of chunks) {
    const records: BatchRecord[] = []
    let ordinal = chunk.firstOrdinal
    for (const data of recordsOf(chunk)) {
      if (output.isPending(ordinal)) records.push({ ordinal, arrivalMs: chunk.arrivalMs, data })
      ordinal += 1
    }
    if (records.length > 0) yield records
  }
}
