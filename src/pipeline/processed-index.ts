/**
 * What is staged for a batch that processors have been at (staging.ts): blocks of two sorts, and this
 * index, as JSON, that says where what is.
 *
 *   record block:   chunk …         records of one partition, in their order
 *   chunk:          arrival in ms f64le | first ordinal u32le | record count u32le | payload bytes u32le |
 *                   payload (chunk.ts)
 *   error block:    lines of JSON, whole or not: the error records of one error-output-type, back to back
 *
 * The records of a partition lie in several blocks where the batch is larger than what is gathered in
 * memory. Where each accepted record is still one record or none, in their order, they keep their
 * ordinals, with gaps. Otherwise (split, merged, partitioned) they are numbered anew from 0, partition by
 * partition in the order of this index, and the ordinals in the blocks mean nothing. Which it is, `summary.order` says.
 */
import { strict as assert } from 'node:assert'
import type { Json } from '../base/json.ts'
import type { BatchId } from '../batch.ts'
import type { StoredChunk } from '../batch-store.ts'
import type { Failure } from '../delivery-queue.ts'
import type { ErrorOutputType } from '../processor.ts'
import type { ProcessingSummary } from '../manifest.ts'

export interface ProcessedIndex {
  readonly batchId: BatchId
  /** Of the stream whose processors ran: under another version, what is staged is worth nothing. */
  readonly versionId: number
  /** Without dynamic partitioning all records are in one partition, which has no keys. */
  readonly partitioned: boolean
  readonly partitions: readonly IndexedPartition[]
  readonly errors: readonly IndexedErrors[]
  readonly droppedCount: number
  readonly madeCount: number
  readonly quarantinedCount: number
  readonly summary: ProcessingSummary
  /** Of the last record that failed. */
  readonly lastFailure?: Failure
  readonly tableSchema?: Json
}

export interface IndexedPartition {
  readonly keys: {
    readonly query: readonly (readonly [string, string])[]
    readonly lambda: readonly (readonly [string, string])[]
  }
  readonly recordCount: number
  readonly dataBytes: number
  readonly firstArrivalMs: number
  readonly blocks: readonly IndexedBlock[]
}

/** Number of the block, how many records it holds, and the ordinal that the last of them was accepted with. */
export type IndexedBlock = readonly [block: number, recordCount: number, lastOrdinal: number]

export interface IndexedErrors {
  readonly errorOutputType: ErrorOutputType
  readonly recordCount: number
  readonly blocks: readonly number[]
}

export const CHUNK_HEAD_BYTES = 20

export function writeChunkHead(
  into: Buffer,
  offset: number,
  { arrivalMs, firstOrdinal, recordCount }: Omit<StoredChunk, 'payload'>,
  payloadBytes: number,
): void {
  into.writeDoubleLE(arrivalMs, offset)
  into.writeUInt32LE(firstOrdinal, offset + 8)
  into.writeUInt32LE(recordCount, offset + 12)
  into.writeUInt32LE(payloadBytes, offset + 16)
}

/** The chunks of a record block, each a view into it. */
export function* chunksOf(block: Buffer): Generator<StoredChunk> {
  for (let offset = 0; offset < block.byteLength;) {
    const payloadAt = offset + CHUNK_HEAD_BYTES
    const end = payloadAt + block.readUInt32LE(offset + 16)
    assert(end <= block.byteLength, 'a block ends with a chunk')
    yield {
      arrivalMs: block.readDoubleLE(offset),
      firstOrdinal: block.readUInt32LE(offset + 8),
      recordCount: block.readUInt32LE(offset + 12),
      payload: block.subarray(payloadAt, end),
    }
    offset = end
  }
}
