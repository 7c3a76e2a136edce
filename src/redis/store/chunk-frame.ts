/**
 * A chunk as it lies in Redis: one element of the list `chunks:<id>`.
 *
 *   frame:   header | stored payload
 *   header:  version u8 | flags u8 | 0 u16 | recordCount u32 | arrivalMs f64 | payloadBytes u32 |
 *            metadataBytes u32, in version 2 | CRC32 u32
 *
 * - Version 1 is a chunk without metadata, 2 one with.
 * - Numbers are little-endian. payloadBytes is the payload's size as it was put, before compression, and
 *   metadataBytes how much of its end is metadata.
 * - The checksum is over the header's bytes before it and the stored payload.
 * - Flag 1: the payload is compressed (one zstd frame). Flag 2: then it is encrypted:
 *   salt (16 random bytes) | AES-256-GCM | tag (16 bytes). The salt and the stream's data key make a
 *   key of the frame's own (HKDF-SHA-256), which is used once, so its nonce is zero. The header, but for
 *   the checksum, is authenticated along. Which data key it is stands in the batch.
 * - Scripts read recordCount, arrivalMs, payloadBytes and metadataBytes where they are (append.lua).
 */
import { strict as assert } from 'node:assert'
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, crc32, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { ZstdOptions } from 'node:zlib'
import type { Clock } from '../../base/clock.ts'
import type { Chunk } from '../../batch.ts'
import type { CompressionTrial } from './compression-trial.ts'

const COMPRESSED = 1
const ENCRYPTED = 2
/** What the checksum and the cipher authenticate of the header, by version. */
const FACTS_BYTES = { 1: 20, 2: 24 }
const CHECKSUM_BYTES = 4

const ALGORITHM = 'aes-256-gcm'
const KEY_BYTES = 32
const SALT_BYTES = 16
const TAG_BYTES = 16
const NONCE = Buffer.alloc(12)
const PURPOSE = 'standpipe frame'

const LEVEL = { [constants.ZSTD_c_compressionLevel]: 1 }
/** Output is gathered in pieces of this size. Most payloads need one or two; as much as theirs is garbage. */
const PIECE_BYTES = 64 * 1024
/** zlib takes no less. */
const PIECE_BYTES_MIN = 64
/**
 * Up to this size a payload is compressed where it is: that takes some 20 µs, and to hand it to another
 * thread takes more than that.
 */
const AT_ONCE_BYTES_MAX = 16 * 1024
const compressElsewhere = promisify<Buffer, ZstdOptions, Buffer>(zstdCompress)

/** A frame that is not as it was written, or is under another key. */
export class FrameDamaged extends Error {
  override readonly name = 'FrameDamaged'
}

export interface FrameOptions {
  readonly clock: Clock
  /** Whether compression is worth a try; learns from this frame. */
  readonly trial: CompressionTrial
  /** Present: the payload is encrypted. */
  readonly dataKey?: Buffer
}

/** Has no more use for the payload's memory once it has resolved. */
export async function encodeFrame(chunk: Chunk, options: FrameOptions): Promise<Buffer> {
  const { clock, trial, dataKey } = options
  const compressed = await compressWhenWorth(chunk.payload, trial)
  const { metadataBytes = 0 } = chunk
  const version = metadataBytes > 0 ? 2 : 1
  const facts = Buffer.alloc(FACTS_BYTES[version])
  const isCompressed = compressed !== undefined
  facts.writeUInt8(version, 0)
  facts.writeUInt8((isCompressed ? COMPRESSED : 0) | (dataKey === undefined ? 0 : ENCRYPTED), 1)
  facts.writeUInt32LE(chunk.recordCount, 4)
  facts.writeDoubleLE(chunk.arrivalMs, 8)
  facts.writeUInt32LE(chunk.payload.byteLength, 16)
  if (version === 2) facts.writeUInt32LE(metadataBytes, 20)
  const payload = compressed ?? chunk.payload
  const stored = dataKey === undefined ? [payload] : encrypt(payload, facts, dataKey, clock)
  const checksum = Buffer.alloc(CHECKSUM_BYTES)
  checksum.writeUInt32LE(stored.reduce((sum, part) => crc32(part, sum), crc32(facts)))
  return Buffer.concat([facts, checksum, ...stored])
}

/**
 * Reads a frame back. The payload may be a view into `frame`.
 * @param dataKey that of the batch; absent when it has none
 * @throws FrameDamaged
 */
export function decodeFrame(frame: Buffer, dataKey?: Buffer): Chunk {
  const version = frame[0]
  if (version !== 1 && version !== 2) throw new FrameDamaged('The frame is of another version')
  const factsBytes = FACTS_BYTES[version]
  const storedAt = factsBytes + CHECKSUM_BYTES
  if (frame.byteLength < storedAt) throw new FrameDamaged('The frame is cut short')
  const facts = frame.subarray(0, factsBytes)
  const stored = frame.subarray(storedAt)
  if (crc32(stored, crc32(facts)) !== frame.readUInt32LE(factsBytes)) {
    throw new FrameDamaged('The checksum of the frame is wrong')
  }
  const flags = facts.readUInt8(1)
  const payloadBytes = facts.readUInt32LE(16)
  const plain = (flags & ENCRYPTED) === 0 ? stored : decrypt(stored, facts, dataKey)
  const payload = (flags & COMPRESSED) === 0 ? plain : inflate(plain, payloadBytes)
  if (payload.byteLength !== payloadBytes) throw new FrameDamaged('The payload is cut short')
  const chunk = { arrivalMs: facts.readDoubleLE(8), recordCount: facts.readUInt32LE(4), payload }
  return version === 1 ? chunk : { ...chunk, metadataBytes: facts.readUInt32LE(20) }
}

async function compressWhenWorth(
  payload: Buffer,
  trial: CompressionTrial,
): Promise<Buffer | undefined> {
  const sizeBytes = payload.byteLength
  if (!trial.isWorth(sizeBytes)) return undefined
  const options = { params: LEVEL, pledgedSrcSize: sizeBytes, chunkSize: PIECE_BYTES }
  const compressed =
    sizeBytes <= AT_ONCE_BYTES_MAX
      ? zstdCompressSync(payload, options)
      : await compressElsewhere(payload, options)
  return trial.paid(sizeBytes, compressed.byteLength) ? compressed : undefined
}

/** Where it is: whoever reads batches is a thread for that. */
function inflate(compressed: Buffer, payloadBytes: number): Buffer {
  const sizeBytes = Math.max(PIECE_BYTES_MIN, payloadBytes)
  try {
    return zstdDecompressSync(compressed, { maxOutputLength: sizeBytes, chunkSize: sizeBytes })
  } catch (error) {
    throw new FrameDamaged('The payload cannot be decompressed', { cause: error })
  }
}

function encrypt(payload: Buffer, facts: Buffer, dataKey: Buffer, clock: Clock): Buffer[] {
  const salt = clock.randomBytes(SALT_BYTES)
  const cipher = createCipheriv(ALGORITHM, frameKey(dataKey, salt), NONCE)
  cipher.setAAD(facts)
  return [salt, cipher.update(payload), cipher.final(), cipher.getAuthTag()]
}

function decrypt(stored: Buffer, facts: Buffer, dataKey: Buffer | undefined): Buffer {
  if (dataKey === undefined) throw new FrameDamaged('The frame is encrypted and its batch is not')
  const tagAt = stored.byteLength - TAG_BYTES
  if (tagAt < SALT_BYTES) throw new FrameDamaged('The payload is cut short')
  const key = frameKey(dataKey, stored.subarray(0, SALT_BYTES))
  const decipher = createDecipheriv(ALGORITHM, key, NONCE, { authTagLength: TAG_BYTES })
  decipher.setAAD(facts)
  decipher.setAuthTag(stored.subarray(tagAt))
  try {
    return Buffer.concat([decipher.update(stored.subarray(SALT_BYTES, tagAt)), decipher.final()])
  } catch (error) {
    throw new FrameDamaged('The frame is under another key', { cause: error })
  }
}

function frameKey(dataKey: Buffer, salt: Buffer): Buffer {
  assert.equal(dataKey.byteLength, KEY_BYTES)
  return Buffer.from(hkdfSync('sha256', dataKey, salt, PURPOSE, KEY_BYTES))
}
