/** What PutRecord and PutRecordBatch have in common: read, check, append, count. */
import { chunkDataBytes } from '../../chunk.ts'
import type { Chunk } from '../../batch.ts'
import { AppendError, KeyUnavailable } from '../../batch-store.ts'
import type { Appended } from '../../batch-store.ts'
import type { PutObservation } from '../../base/metrics.ts'
import type { ApiContext } from '../context.ts'
import { invalidArgument, keyNotFound, slowDown } from '../exceptions.ts'
import type { PreparedCall } from '../operation.ts'
import { directPutStream } from '../operations/stream-lookup.ts'
import type { PutOperationName } from './put-input.ts'
import { BATCH_BYTES_MAX } from './put-limits.ts'
import { parsePut } from './put-parser.ts'
import { scanPut } from './put-scanner.ts'

export interface PutOutcome extends Appended {
  readonly recordCount: number
  /** The records are encrypted where they are kept. */
  readonly encrypted: boolean
}

/** @throws ApiError when the body can't be read or exceeds a limit */
export function preparePut(
  operation: PutOperationName,
  body: Buffer,
  context: ApiContext,
  answer: (outcome: PutOutcome) => string,
): PreparedCall {
  const { buffers, clock } = context
  const input = scanPut(operation, body, buffers) ?? parsePut(operation, body)
  const { streamName, recordCount, payload } = input
  const chunk: Chunk = { arrivalMs: clock.nowMs(), recordCount, payload }
  if (chunkDataBytes(chunk) > BATCH_BYTES_MAX) {
    throw invalidArgument('Records size exceeds 4 MB limit')
  }
  return {
    streamName,
    async run() {
      try {
        return answer(await putChunk(operation, streamName, chunk, context))
      } finally {
        buffers.give(payload)
      }
    },
  }
}

/**
 * Resolves when the chunk is durable.
 * @throws ApiError ResourceNotFoundException, InvalidArgumentException when the stream reads from a
 *   source, InvalidKMSResourceException when the stream's data key can't be unwrapped,
 *   ServiceUnavailableException when there is no room now or the disk failed
 */
export async function putChunk(
  operation: PutObservation['operation'],
  streamName: string,
  chunk: Chunk,
  context: ApiContext,
): Promise<PutOutcome> {
  const stream = directPutStream(context, streamName)
  const { clock, intake, metrics } = context
  const startedMs = clock.monotonicMs()
  const observe = (throttledCount: number) =>
    metrics.put({
      streamName,
      operation,
      recordCount: chunk.recordCount,
      dataBytes: chunkDataBytes(chunk),
      throttledCount,
      latencyMs: clock.monotonicMs() - startedMs,
    })
  try {
    const appended = await intake.append(stream, chunk)
    observe(0)
    const encrypted = stream.encryption.status === 'ENABLED'
    return { ...appended, recordCount: chunk.recordCount, encrypted }
  } catch (error) {
    if (error instanceof KeyUnavailable) throw keyNotFound(error.message, { cause: error })
    if (!(error instanceof AppendError)) throw error
    observe(chunk.recordCount)
    throw slowDown({ cause: error })
  }
}
