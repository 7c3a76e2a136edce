/**
 * The layout of a chunk's payload.
 *
 *   payload:  length u32le × recordCount | data
 *
 * The lengths come first so that the data is one contiguous run: without a delimiter it goes to the
 * codec as it is, and no object exists for a record between the socket and the destination.
 */
import { strict as assert } from 'node:assert'
import type { Chunk } from './batch.ts'

const LENGTH_BYTES = 4

/** Size of a payload of `recordCount` records with `dataBytes` bytes in all. */
export function payloadBytes(recordCount: number, dataBytes: number): number {
  return recordCount * LENGTH_BYTES + dataBytes
}

/** Where the data begins within a payload. */
export function dataOffset(recordCount: number): number {
  return recordCount * LENGTH_BYTES
}

export function setRecordLength(payload: Buffer, index: number, lengthBytes: number): void {
  payload.writeUInt32LE(lengthBytes, index * LENGTH_BYTES)
}

export function recordLength(payload: Buffer, index: number): number {
  return payload.readUInt32LE(index * LENGTH_BYTES)
}

export function chunkOf(records: readonly Uint8Array[], arrivalMs: number): Chunk {
  const dataBytes = records.reduce((sum, record) => sum + record.byteLength, 0)
  const payload = Buffer.allocUnsafe(payloadBytes(records.length, dataBytes))
  let offset = dataOffset(records.length)
  for (const [index, record] of records.entries()) {
    setRecordLength(payload, index, record.byteLength)
    payload.set(record, offset)
    offset += record.byteLength
  }
  return { arrivalMs, recordCount: records.length, payload }
}

/** The bytes of all records, back to back. */
export function chunkData(chunk: Chunk): Buffer {
  return chunk.payload.subarray(dataOffset(chunk.recordCount))
}

export function chunkDataBytes(chunk: Chunk): number {
  return chunk.payload.byteLength - dataOffset(chunk.recordCount)
}

/** The records, each a view into the payload. */
export function* recordsOf(chunk: Chunk): Generator<Buffer> {
  let offset = dataOffset(chunk.recordCount)
  for (let index = 0; index < chunk.recordCount; index += 1) {
    const end = offset + recordLength(chunk.payload, index)
    assert(end <= chunk.payload.byteLength, 'record lengths exceed the payload')
    yield chunk.payload.subarray(offset, end)
    offset = end
  }
}
