/**
 * A staged file holds what processors made of one batch: blocks of bytes, and an index that says
 * what they are (pipeline/processed-index.ts). It is written once, front to back, as `.staging`;
 * synced, renamed to `.staged`, and never changed again.
 *
 *   file:     header (1024 bytes) | block … | index | block table | trailer (36 bytes)
 *   header:   'SPSTAGE1' | ' ' | CRC, 8 hex digits | ' ' | JSON, padded with spaces | '\n'
 *   block table, for each block (16 bytes; integers and floats little-endian):
 *     0  offset in the file f64
 *     8  bytes u32
 *    12  CRC u32
 *   trailer:
 *     0  'SPSTEND1'
 *     8  offset of the index f64
 *    16  bytes of the index u32
 *    20  count of blocks u32
 *    24  CRC of the index u32
 *    28  CRC of the block table u32
 *    32  CRC of bytes 0 to 31 u32
 *
 * - A reader takes header and trailer, then index and table in one read, then each block in one.
 * - All CRCs but the header's are seeded with the batch id and the file's salt: bytes of another
 *   batch that turn up here don't pass, nor those of an earlier attempt at the same one.
 * - The salt is drawn for each file. Where the batch is encrypted, it makes the key with which blocks
 *   and index are (batch-cipher.ts); a block is bound to its number, the index to being the index.
 *   CRCs and lengths are of what is in the file, so that it can be checked without the key.
 * - The data key, wrapped, is in the header as it is in the batch file's: what was staged can be read
 *   though the header of the batch file is damaged since.
 */
import { strict as assert } from 'node:assert'
import { crc32 } from 'node:zlib'
import type { BatchId } from '../batch.ts'
import { chunkSeed, decodeTextBlock, encodeTextBlock } from './batch-file.ts'

export const STAGED_HEADER_BYTES = 1024
export const STAGED_TRAILER_BYTES = 36
export const TABLE_ENTRY_BYTES = 16
export const SALT_BYTES = 16

const HEADER_MAGIC = 'SPSTAGE1'
const TRAILER_MAGIC = 'SPSTEND1'
const TRAILER_FACTS_BYTES = 32

export interface StagedHeader {
  readonly batchId: BatchId
  readonly streamId: string
  /** In hex. */
  readonly salt: string
  /** Present when blocks and index are encrypted. */
  readonly wrappedDataKey?: string
}

export interface StagedTrailer {
  readonly indexOffset: number
  readonly indexBytes: number
  readonly blockCount: number
  readonly indexChecksum: number
  readonly tableChecksum: number
}

/** Where a block is, and what its bytes add up to. */
export interface BlockEntry {
  readonly offset: number
  readonly sizeBytes: number
  readonly checksum: number
}

export function encodeStagedHeader(header: StagedHeader): Buffer {
  return encodeTextBlock(HEADER_MAGIC, header, STAGED_HEADER_BYTES)
}

/** The header of a staged file of batch `batchId`; undefined when the bytes are not that. */
export function decodeStagedHeader(bytes: Buffer, batchId: BatchId): StagedHeader | undefined {
  const header = decodeTextBlock(HEADER_MAGIC, bytes, STAGED_HEADER_BYTES) as
    | StagedHeader
    | undefined
  return header?.batchId === batchId ? header : undefined
}

/** What the CRCs of a staged file begin from. */
export function stagedSeed(batchId: BatchId, salt: Buffer): number {
  return crc32(salt, chunkSeed(batchId))
}

export function encodeTrailer(trailer: StagedTrailer, seed: number): Buffer {
  const bytes = Buffer.alloc(STAGED_TRAILER_BYTES)
  bytes.write(TRAILER_MAGIC, 0, 'latin1')
  bytes.writeDoubleLE(trailer.indexOffset, 8)
  bytes.writeUInt32LE(trailer.indexBytes, 16)
  bytes.writeUInt32LE(trailer.blockCount, 20)
  bytes.writeUInt32LE(trailer.indexChecksum, 24)
  bytes.writeUInt32LE(trailer.tableChecksum, 28)
  const facts = bytes.subarray(0, TRAILER_FACTS_BYTES)
  bytes.writeUInt32LE(crc32(facts, seed), TRAILER_FACTS_BYTES)
  return bytes
}

/** Undefined when the bytes are not a trailer written from `seed`. */
export function decodeTrailer(bytes: Buffer, seed: number): StagedTrailer | undefined {
  if (bytes.byteLength !== STAGED_TRAILER_BYTES) return undefined
  const facts = bytes.subarray(0, TRAILER_FACTS_BYTES)
  if (crc32(facts, seed) !== bytes.readUInt32LE(TRAILER_FACTS_BYTES)) return undefined
  if (bytes.toString('latin1', 0, TRAILER_MAGIC.length) !== TRAILER_MAGIC) return undefined
  return {
    indexOffset: bytes.readDoubleLE(8),
    indexBytes: bytes.readUInt32LE(16),
    blockCount: bytes.readUInt32LE(20),
    indexChecksum: bytes.readUInt32LE(24),
    tableChecksum: bytes.readUInt32LE(28),
  }
}

/** The block table, 16 bytes of memory a block. */
export class BlockTable {
  #bytes: Buffer
  #count: number

  /** @param bytes of a table that was written; without them it is empty */
  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#bytes = bytes
    this.#count = bytes.byteLength / TABLE_ENTRY_BYTES
  }

  get count(): number {
    return this.#count
  }

  /** As it is written. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#count * TABLE_ENTRY_BYTES)
  }

  /** Returns the block's number. */
  add({ offset, sizeBytes, checksum }: BlockEntry): number {
    const at = this.#count * TABLE_ENTRY_BYTES
    if (at === this.#bytes.byteLength) {
      const grown = Buffer.alloc(Math.max(at * 2, 64 * TABLE_ENTRY_BYTES))
      this.#bytes.copy(grown)
      this.#bytes = grown
    }
    this.#bytes.writeDoubleLE(offset, at)
    this.#bytes.writeUInt32LE(sizeBytes, at + 8)
    this.#bytes.writeUInt32LE(checksum, at + 12)
    this.#count += 1
    return this.#count - 1
  }

  get(block: number): BlockEntry {
    assert(Number.isInteger(block) && block >= 0 && block < this.#count, 'a block that was written')
    const at = block * TABLE_ENTRY_BYTES
    return {
      offset: this.#bytes.readDoubleLE(at),
      sizeBytes: this.#bytes.readUInt32LE(at + 8),
      checksum: this.#bytes.readUInt32LE(at + 12),
    }
  }
}

/** What encryption binds a part of the file to: the number of a block, or being the index. */
export function placeOf(part: number | 'index'): Buffer {
  const bytes = Buffer.alloc(8, 0xff)
  if (part !== 'index') bytes.writeDoubleLE(part)
  return bytes
}
