/**
 * What processors made of a batch, as it lies in Redis: the hash `staged:<id>`.
 *
 *   attempt   16 random bytes in hex, drawn for each attempt at staging
 *   0, 1, …   segments of blocks: as many small ones as go into 512 KiB, or a larger one alone
 *   index     the last segment: count of blocks u32 | block table | index
 *
 *   block table, for each block (12 bytes):
 *     segment u32 | offset in it u32 | bytes u32
 *   segment:
 *     flags u8 | 0 u24 | plainBytes u32 | CRC32 u32 | body
 *
 * - Numbers are little-endian. plainBytes is what the body was before compression.
 * - Flag 1: the body is compressed (one zstd frame). Flag 2: then it is encrypted: AES-256-GCM, tag (16
 *   bytes) last, by a key that the stream's data key, the batch id and the attempt make (HKDF-SHA-256). The
 *   nonce is the segment's number, which no attempt uses twice; flags and plainBytes are authenticated.
 * - The CRC is over what precedes it and the body, and begins from batch id, attempt and number: bytes of
 *   another batch, attempt or place don't pass.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, crc32, zstdCompress, zstdDecompress } from 'node:zlib'
import type { ZstdOptions } from 'node:zlib'
import { batchIdBytes } from '../../batch.ts'
import type { BatchId } from '../../batch.ts'
import { CompressionTrial } from './compression-trial.ts'

export const ATTEMPT_BYTES = 16
/** Smaller blocks are gathered into segments of this size; each other is one alone. */
export const SEGMENT_BYTES = 512 * 1024
/** Number of the segment with the index. */
export const INDEX_SEGMENT = 0xff_ff_ff_ff

const COMPRESSED = 1
const ENCRYPTED = 2
const FACTS_BYTES = 8
const HEADER_BYTES = 12
const ALGORITHM = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const PURPOSE = 'standpipe staging in redis'

const COMPRESSION: ZstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
const compress = promisify<Uint8Array, ZstdOptions, Buffer>(zstdCompress)
const decompress = promisify<Buffer, ZstdOptions, Buffer>(zstdDecompress)

/** Encodes and decodes the segments of one attempt at staging one batch. */
export class SegmentCodec {
  readonly #seed: number
  readonly #key: Buffer | undefined
  readonly #trial = new CompressionTrial()

  /** @param dataKey absent: the batch is not encrypted */
  constructor(batchId: BatchId, attempt: string, dataKey?: Buffer) {
    const salt = Buffer.concat([batchIdBytes(batchId), Buffer.from(attempt, 'hex')])
    this.#seed = crc32(salt)
    this.#key = dataKey && Buffer.from(hkdfSync('sha256', dataKey, salt, PURPOSE, KEY_BYTES))
  }

  /** A segment in memory of its own. Each number once. */
  async encode(number: number, plain: Uint8Array): Promise<Buffer> {
    const compressed = await this.#compress(plain)
    const header = Buffer.alloc(HEADER_BYTES)
    header.writeUInt8((compressed ? COMPRESSED : 0) | (this.#key ? ENCRYPTED : 0), 0)
    header.writeUInt32LE(plain.byteLength, 4)
    const body = this.#encrypt(number, compressed ?? plain, header.subarray(0, FACTS_BYTES))
    header.writeUInt32LE(this.#checksum(number, header, body), FACTS_BYTES)
    return Buffer.concat([header, ...body])
  }

  /**
   * May be a view into the segment.
   * @throws Error that says what is wrong
   */
  async decode(number: number, segment: Buffer): Promise<Buffer> {
    if (segment.byteLength < HEADER_BYTES) throw new Error('it is cut short')
    const body = segment.subarray(HEADER_BYTES)
    if (segment.readUInt32LE(FACTS_BYTES) !== this.#checksum(number, segment, [body])) {
      throw new Error('its checksum is wrong')
    }
    const flags = segment.readUInt8(0)
    const plainBytes = segment.readUInt32LE(4)
    const isEncrypted = (flags & ENCRYPTED) !== 0
    const stored = isEncrypted ? this.#decrypt(number, segment, body) : body
    const isCompressed = (flags & COMPRESSED) !== 0
    return isCompressed ? decompress(stored, { maxOutputLength: plainBytes }) : stored
  }

  async #compress(plain: Uint8Array): Promise<Buffer | undefined> {
    if (!this.#trial.isWorth(plain.byteLength)) return undefined
    const compressed = await compress(plain, COMPRESSION)
    return this.#trial.paid(plain.byteLength, compressed.byteLength) ? compressed : undefined
  }

  #checksum(number: number, header: Buffer, body: readonly Uint8Array[]): number {
    const head = crc32(header.subarray(0, FACTS_BYTES), crc32(nonceOf(number), this.#seed))
    return body.reduce((sum, part) => crc32(part, sum), head)
  }

  #encrypt(number: number, plain: Uint8Array, facts: Buffer): readonly Uint8Array[] {
    if (this.#key === undefined) return [plain]
    const cipher = createCipheriv(ALGORITHM, this.#key, nonceOf(number))
    cipher.setAAD(facts)
    return [cipher.update(plain), cipher.final(), cipher.getAuthTag()]
  }

  #decrypt(number: number, segment: Buffer, body: Buffer): Buffer {
    if (this.#key === undefined) throw new Error('it is encrypted, and its batch is not')
    const tagAt = body.byteLength - TAG_BYTES
    if (tagAt < 0) throw new Error('it is cut short')
    const nonce = nonceOf(number)
    const decipher = createDecipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(segment.subarray(0, FACTS_BYTES))
    decipher.setAuthTag(body.subarray(tagAt))
    return Buffer.concat([decipher.update(body.subarray(0, tagAt)), decipher.final()])
  }
}

function nonceOf(number: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES)
  nonce.writeUInt32LE(number)
  return nonce
}
