/** What the engine does with a destination, by hand: a batch is encoded, and each output tried once. */
import type { JsonObject } from '../../src/base/json.ts'
import { BufferPool } from '../../src/base/buffer-pool.ts'
import { BatchIds } from '../../src/batch.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { StoredChunk } from '../../src/batch-store.ts'
import { systemClock } from '../../src/base/clock.ts'
import { chunkOf, recordsOf } from '../../src/chunk.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type {
  DeliverJob,
  Destination,
  DestinationType,
  EncodedOutput,
  ExplainJob,
  RecordFailure,
} from '../../src/destination.ts'
import { openSpool } from '../../src/objects/spool.ts'

const CHUNK_RECORDS = 500
const batchIds = new BatchIds(systemClock)

export interface HandBatch {
  readonly batch: SealedBatch
  readonly chunks: readonly StoredChunk[]
}

export function streamOf(
  type: DestinationType,
  destination: JsonObject,
  name = 'events',
): DeliveryStream {
  return {
    streamId: `id-of-${name}`,
    name,
    arn: `arn:aws:firehose:us-east-1:000000000000:deliverystream/${name}`,
    status: 'ACTIVE',
    type: 'DirectPut',
    createdAtMs: 0,
    versionId: 1,
    revision: 1,
    tags: [],
    encryption: { status: 'DISABLED' },
    destinationType: type.name,
    destination,
  }
}

export function batchOf(records: readonly (string | Buffer)[]): HandBatch {
  const chunks: StoredChunk[] = []
  for (let from = 0; from < records.length; from += CHUNK_RECORDS) {
    const some = records.slice(from, from + CHUNK_RECORDS).map((record) => Buffer.from(record))
    chunks.push({ ...chunkOf(some, Date.UTC(2026, 10, 21, 12)), firstOrdinal: from })
  }
  const dataBytes = chunks.reduce((sum, { payload }) => sum + payload.byteLength, 0)
  const batch: SealedBatch = {
    batchId: batchIds.next(),
    streamId: 'id-of-events',
    recordCount: records.length,
    dataBytes,
    storedBytes: dataBytes,
    firstArrivalMs: Date.UTC(2026, 10, 21, 12),
    lastArrivalMs: Date.UTC(2026, 10, 21, 12),
    sealedAtMs: Date.UTC(2026, 10, 21, 12),
    sealReason: 'age',
  }
  return { batch, chunks }
}

export async function encodeByHand(
  destination: Destination,
  stream: DeliveryStream,
  { batch, chunks }: HandBatch,
): Promise<readonly EncodedOutput[]> {
  return await destination.encode({
    batch,
    stream,
    chunks: each(chunks),
    frozen: undefined,
    openSpool: () =>
      openSpool({
        directory: '/nonexistent',
        clock: systemClock,
        buffers: new BufferPool(),
        encrypt: false,
      }),
  })
}

/** One attempt at each output, in order. */
export async function deliverByHand(
  destination: Destination,
  stream: DeliveryStream,
  handBatch: HandBatch,
  members: Partial<DeliverJob> = {},
): Promise<readonly RecordFailure[]> {
  const failures: RecordFailure[] = []
  for (const output of await encodeByHand(destination, stream, handBatch)) {
    const job = deliverJob(output, stream, handBatch, members)
    failures.push(...(await destination.deliver(job)))
  }
  return failures
}

export function deliverJob(
  output: EncodedOutput,
  stream: DeliveryStream,
  { batch, chunks }: HandBatch,
  members: Partial<DeliverJob> = {},
): DeliverJob {
  return {
    batch,
    output,
    stream,
    currentStream: stream,
    formerSha256s: [],
    earlierAttempts: 0,
    signal: new AbortController().signal,
    async *records() {
      for (const chunk of chunks) {
        let ordinal = chunk.firstOrdinal
        const { arrivalMs } = chunk
        yield Array.from(recordsOf(chunk), (data) => ({ ordinal: ordinal++, arrivalMs, data }))
      }
    },
    ...members,
  }
}

export function explainJob(
  output: EncodedOutput,
  stream: DeliveryStream,
  handBatch: HandBatch,
): ExplainJob {
  const job = deliverJob(output, stream, handBatch)
  return { batch: job.batch, output, stream, signal: job.signal, records: () => job.records() }
}

async function* each(chunks: readonly StoredChunk[]): AsyncGenerator<StoredChunk> {
  yield* chunks
}
