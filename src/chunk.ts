/**
 * The layout of a chunk's payload.
 *
 *   payload:   length u32le × recordCount | data | metadata
 *   metadata:  nothing, or a JSON list of an object for each record
 *
 * The lengths come first so that the data is one contiguous run: without a delimiter it goes to the
 * codec as it is, and no object exists for a record between the socket and the destination. What a
 * source tells of a record besides its data is for transforms only, and there only where one asks.
 */
import { strict as assert } from 'node:assert'
import type { JsonObject } from './base/json.ts'
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

/** The chunk with an object of metadata for each of its records. */
export function withMetadata(chunk: Chunk, metadata: readonly JsonObject[]): Chunk {
  assert.equal(metadata.length, chunk.recordCount)
  const text = Buffer.from(JSON.stringify(metadata))
  const payload = Buffer.concat([chunk.payload, text])
  return { ...chunk, payload, metadataBytes: text.byteLength }
}

/** Of each record in turn; undefined when nothing is known besides the data. */
export function chunkMetadata({ payload, metadataBytes = 0 }: Chunk): JsonObject[] | undefined {
  if (metadataBytes === 0) return undefined
  return JSON.parse(payload.toString('utf8', payload.byteLength - metadataBytes)) as JsonObject[]
}

/** The bytes of all records, back to back. */
export function chunkData(chunk: Chunk): Buffer {
  const { payload, recordCount, metadataBytes = 0 } = chunk
  return payload.subarray(dataOffset(recordCount), payload.byteLength - metadataBytes)
}

export function chunkDataBytes({ payload, recordCount, metadataBytes = 0 }: Chunk): number {
  return payload.byteLength - metadataBytes - dataOffset(recordCount)
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
