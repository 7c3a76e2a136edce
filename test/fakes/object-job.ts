/** What the engine hands to whoever encodes a batch as objects, with all of it in memory. */
import { strict as assert } from 'node:assert'
import { BufferPool } from '../../src/base/buffer-pool.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { JsonObject } from '../../src/base/json.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { StoredChunk } from '../../src/batch-store.ts'
import { chunkOf } from '../../src/chunk.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { EncodedOutput, EncodeJob, Partition, Spool } from '../../src/destination.ts'
import type { FrozenOutput, Manifest } from '../../src/manifest.ts'
import { openSpool } from '../../src/objects/spool.ts'
import type { PartitionKeys } from '../../src/partition.ts'
import { streamTo } from './delivered-batch.ts'

export const ARRIVAL_MS = Date.UTC(2026, 6, 13, 14, 15, 16)
const BATCH_ID = '01J2P4YH2NZ5R6T7V8W9X0Y1Z2'
const CHUNK_RECORDS = 2

export function objectJob(
  stream: DeliveryStream,
  records: readonly string[],
  members: Partial<EncodeJob> = {},
): EncodeJob {
  return {
    batch: batchOf(records.length),
    stream,
    chunks: chunksOf(records),
    frozen: undefined,
    openSpool: memorySpool,
    ...members,
  }
}

export function batchOf(recordCount: number): SealedBatch {
  return {
    batchId: BATCH_ID,
    streamId: 'id',
    recordCount,
    dataBytes: 0,
    storedBytes: 0,
    firstArrivalMs: ARRIVAL_MS,
    lastArrivalMs: ARRIVAL_MS,
    sealedAtMs: ARRIVAL_MS,
    sealReason: 'age',
  }
}

/** Some records a chunk. */
export async function* chunksOf(
  records: readonly string[],
  firstOrdinal = 0,
): AsyncGenerator<StoredChunk> {
  for (let index = 0; index < records.length; index += CHUNK_RECORDS) {
    const some = records.slice(index, index + CHUNK_RECORDS).map((record) => Buffer.from(record))
    yield { ...chunkOf(some, ARRIVAL_MS), firstOrdinal: firstOrdinal + index }
  }
}

/** Partitions of so many records each, one after the other. */
export function partitionsOf(
  records: readonly (readonly string[])[],
  keysOf: (index: number) => PartitionKeys,
): readonly Partition[] {
  let from = 0
  return records.map((mine, index) => {
    const range = { from, to: from + mine.length }
    from = range.to
    return {
      keys: keysOf(index),
      range,
      dataBytes: mine.join('').length,
      firstArrivalMs: ARRIVAL_MS + index * 3_600_000,
      chunks: () => chunksOf(mine, range.from),
    }
  })
}

export function memorySpool(): Spool {
  return openSpool({
    directory: '/nowhere',
    clock: systemClock,
    buffers: new BufferPool(),
    encrypt: false,
  })
}

export async function bytesOf({ content }: EncodedOutput): Promise<Buffer> {
  assert(content !== undefined)
  return Buffer.from(await content.read(0, content.sizeBytes))
}

/** Kind, count, range and bytes of each output, as text; absent members are left out. */
export async function shownOutputs(outputs: readonly EncodedOutput[]): Promise<readonly object[]> {
  return Promise.all(
    outputs.map(async (output) => {
      const { kind, recordCount, range, content } = output
      return {
        kind,
        recordCount,
        ...(range !== undefined && { range }),
        ...(content !== undefined && { text: (await bytesOf(output)).toString() }),
      }
    }),
  )
}

export function frozenAs(
  outputs: readonly EncodedOutput[],
  destination: JsonObject = {},
): Manifest {
  const { destinationType, versionId } = streamTo('Any', destination)
  return {
    batchId: BATCH_ID,
    versionId,
    destinationType,
    destination,
    frozenAtMs: ARRIVAL_MS,
    outputs: outputs.map(({ content, ...output }): FrozenOutput => {
      const { sizeBytes = 0, sha256 = '' } = content ?? {}
      return { ...output, sizeBytes, sha256, formerSha256s: [] }
    }),
    droppedCount: 0,
    quarantinedCount: 0,
  }
}
