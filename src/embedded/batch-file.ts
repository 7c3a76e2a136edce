/**
 * A batch file holds one batch and nothing else: a header, its chunks in the order in which they
 * were appended, and, once it is sealed, a footer.
 *
 *   file:    header (1024 bytes) | chunk … | footer (512 bytes, sealed files only)
 *   header:  'SPBATCH1' | ' ' | CRC, 8 hex digits | ' ' | JSON, padded with spaces | '\n'
 *   footer:  'SPSEALED' | ' ' | CRC, 8 hex digits | ' ' | JSON, padded with spaces | '\n'
 *   chunk:   chunk header (36 bytes) | payload
 *
 *   chunk header (integers and floats little-endian):
 *     0  kind: 'SPCP' plain, 'SPCE' encrypted, the same with a note 'SPCp' and 'SPCe', 'SPCV' void
 *     4  payload bytes u32, with the note
 *     8  ordinal of the first record u32
 *    12  record count u32
 *    16  arrival in ms f64
 *    24  group offset u32: where the group of chunks that was written together begins
 *    28  CRC of the payload u32, with the note
 *    32  CRC of bytes 0 to 31 u32, seeded with the batch id
 *
 * - `head -c 1024` and `tail -c 512` show header and footer: these are lines of text. The footer says
 *   all that is known of a sealed batch, so that start-up reads the last 512 bytes of each.
 * - The header's CRC covers the payload's, and is seeded with the batch id: bytes of another batch
 *   that turn up here (recycled blocks, a misplaced write) don't pass, though they were valid there.
 *   A payload that is damaged under a header that isn't tells how many records are lost and where
 *   the next chunk begins.
 * - The CRC is CRC-32 (IEEE), not CRC-32C: Node has it natively at several GB/s; CRC-32C would be a
 *   dependency or ten times slower, and finds no more of the damage that disks do to 4 MiB.
 * - The group offset proves durability: a group is only written when all before it was synced. So
 *   damage below the greatest group offset in a file is damage; damage in the last group of a file
 *   that wasn't sealed is what a crash leaves of a write that was never acknowledged.
 * - A chunk that comes from a source, or with metadata, has a note (chunk-note.ts) in front of its payload.
 * - A void chunk is a gap: recovery and repair put it over bytes that don't count.
 * - Plain payloads are laid out as in src/chunk.ts, encrypted ones as in batch-cipher.ts.
 * - Only the writer appends, and never again once the process that opened the file has ended.
 */
import { strict as assert } from 'node:assert'
import { crc32 } from 'node:zlib'
import { batchIdBytes } from '../batch.ts'
import type { BatchId, SealedBatch } from '../batch.ts'

export const HEADER_BYTES = 1024
export const FOOTER_BYTES = 512
export const CHUNK_HEADER_BYTES = 36
/** The part of a chunk header that encryption authenticates: all but the two CRCs. */
export const CHUNK_FACTS_BYTES = 28
/** What every chunk header begins with. */
export const CHUNK_MAGIC = 'SPC'

const HEADER_MAGIC = 'SPBATCH1'
const FOOTER_MAGIC = 'SPSEALED'
const CHUNK_KINDS = { plain: 'SPCP', encrypted: 'SPCE', void: 'SPCV' } as const
const NOTED_KINDS = { plain: 'SPCp', encrypted: 'SPCe', void: undefined } as const

export interface BatchHeader {
  readonly batchId: BatchId
  readonly streamId: string
  readonly bornMs: number
  /** Present when the chunks are encrypted. */
  readonly wrappedDataKey?: string
}

export interface ChunkHeader {
  readonly kind: keyof typeof CHUNK_KINDS
  /** A note stands in front of the payload. */
  readonly noted: boolean
  /** What is stored behind the header. */
  readonly payloadBytes: number
  readonly firstOrdinal: number
  readonly recordCount: number
  readonly arrivalMs: number
  readonly groupOffset: number
}

export function encodeHeader(header: BatchHeader): Buffer {
  return encodeTextBlock(HEADER_MAGIC, header, HEADER_BYTES)
}

/** The header of batch `batchId`; undefined when the bytes are not that. */
export function decodeHeader(bytes: Buffer, batchId: BatchId): BatchHeader | undefined {
  const header = decodeTextBlock(HEADER_MAGIC, bytes, HEADER_BYTES) as BatchHeader | undefined
  return header?.batchId === batchId ? header : undefined
}

export function encodeFooter(batch: Omit<SealedBatch, 'storedBytes'>): Buffer {
  return encodeTextBlock(FOOTER_MAGIC, batch, FOOTER_BYTES)
}

/** The footer of batch `batchId`, all but its `storedBytes`; undefined when the bytes are not that. */
export function decodeFooter(
  bytes: Buffer,
  batchId: BatchId,
): Omit<SealedBatch, 'storedBytes'> | undefined {
  const footer = decodeTextBlock(FOOTER_MAGIC, bytes, FOOTER_BYTES) as SealedBatch | undefined
  return footer?.batchId === batchId ? footer : undefined
}

/** What the CRCs of a batch's chunk headers begin from. */
export function chunkSeed(batchId: BatchId): number {
  return crc32(batchIdBytes(batchId))
}

/** Writes the part of a chunk header that stands before its CRCs. */
export function encodeChunkFacts(into: Buffer, header: ChunkHeader): void {
  const magic = (header.noted ? NOTED_KINDS : CHUNK_KINDS)[header.kind]
  assert(magic !== undefined, 'a void has no note')
  into.write(magic, 0, 'latin1')
  into.writeUInt32LE(header.payloadBytes, 4)
  into.writeUInt32LE(header.firstOrdinal, 8)
  into.writeUInt32LE(header.recordCount, 12)
  into.writeDoubleLE(header.arrivalMs, 16)
  into.writeUInt32LE(header.groupOffset, 24)
}

/** Completes a chunk header whose facts are written, with all that follows it. */
export function encodeChunkChecksums(
  into: Buffer,
  payload: readonly Uint8Array[],
  seed: number,
): void {
  const checksum = payload.reduce((sum, bytes) => crc32(bytes, sum), 0)
  into.writeUInt32LE(checksum, CHUNK_FACTS_BYTES)
  into.writeUInt32LE(crc32(into.subarray(0, 32), seed), 32)
}

/** The chunk header that `bytes` begin with; undefined when it is not one of this batch. */
export function decodeChunkHeader(bytes: Buffer, seed: number): ChunkHeader | undefined {
  if (bytes.byteLength < CHUNK_HEADER_BYTES) return undefined
  if (crc32(bytes.subarray(0, 32), seed) !== bytes.readUInt32LE(32)) return undefined
  const magic = bytes.toString('latin1', 0, 4)
  for (const kind of ['plain', 'encrypted', 'void'] as const) {
    if (CHUNK_KINDS[kind] !== magic && NOTED_KINDS[kind] !== magic) continue
    return {
      kind,
      noted: NOTED_KINDS[kind] === magic,
      payloadBytes: bytes.readUInt32LE(4),
      firstOrdinal: bytes.readUInt32LE(8),
      recordCount: bytes.readUInt32LE(12),
      arrivalMs: bytes.readDoubleLE(16),
      groupOffset: bytes.readUInt32LE(24),
    }
  }
  return undefined
}

/** Whether `payload` is the one that the (verified) chunk header was written for. */
export function payloadMatches(chunkHeader: Buffer, payload: Uint8Array): boolean {
  return crc32(payload) === chunkHeader.readUInt32LE(CHUNK_FACTS_BYTES)
}

/** A void chunk of `sizeBytes` in all; its payload is whatever lies there. */
export function encodeVoid(sizeBytes: number, seed: number): Buffer {
  assert(sizeBytes >= CHUNK_HEADER_BYTES, 'a void has room for its header')
  const header = Buffer.alloc(CHUNK_HEADER_BYTES)
  encodeChunkFacts(header, {
    kind: 'void',
    noted: false,
    payloadBytes: sizeBytes - CHUNK_HEADER_BYTES,
    firstOrdinal: 0,
    recordCount: 0,
    arrivalMs: 0,
    groupOffset: 0,
  })
  encodeChunkChecksums(header, [], seed)
  return header
}

/** A line of text that fills `sizeBytes`: the magic, a CRC, and the content as JSON. */
export function encodeTextBlock(magic: string, content: object, sizeBytes: number): Buffer {
  const json = Buffer.from(JSON.stringify(content))
  const jsonAt = magic.length + 10
  assert(jsonAt + json.byteLength < sizeBytes, `${magic} holds ${sizeBytes} bytes`)
  const block = Buffer.alloc(sizeBytes, ' ')
  json.copy(block, jsonAt)
  block.write('\n', sizeBytes - 1)
  block.write(`${magic} ${blockChecksum(block.subarray(jsonAt))} `, 0, 'latin1')
  return block
}

/** The content of a text block; undefined when the bytes are not one of that magic and size. */
export function decodeTextBlock(magic: string, bytes: Buffer, sizeBytes: number): unknown {
  if (bytes.byteLength !== sizeBytes) return undefined
  const jsonAt = magic.length + 10
  const json = bytes.subarray(jsonAt)
  const expected = `${magic} ${blockChecksum(json)} `
  if (bytes.toString('latin1', 0, jsonAt) !== expected) return undefined
  return JSON.parse(json.toString())
}

function blockChecksum(json: Buffer): string {
  return crc32(json).toString(16).padStart(8, '0')
}
