/**
 * Encryption of chunk payloads and of what is staged, for streams with server-side encryption.
 *
 *   encrypted payload:  nonce (12 bytes) | AES-256-GCM of the plain payload | tag (16 bytes)
 *
 * - Each batch has a key of its own: HKDF-SHA-256 of the stream's data key, salted with the batch
 *   id. So a nonce need only be unique within a batch, and a chunk opens in no other batch.
 * - So has each staged file, whose salt is the batch id and the file's own: a batch may be staged
 *   again with other bytes, and its nonces begin from zero again.
 * - The nonce counts encryptions, not places in the file: a chunk that was cut off again (disk
 *   full) has used its nonce up.
 * - Kind, length, ordinal, count, arrival and group offset stand in the chunk header in plain, and
 *   are authenticated as associated data. Lengths of records are inside the cipher text.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { batchIdBytes } from '../batch.ts'
import type { BatchId } from '../batch.ts'

const ALGORITHM = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
export const CIPHER_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES

export class BatchCipher {
  readonly #key: Buffer
  #sequence = 0n

  private constructor(dataKey: Buffer, salt: Buffer, purpose: string) {
    this.#key = Buffer.from(hkdfSync('sha256', dataKey, salt, purpose, KEY_BYTES))
  }

  /** For the chunks of a batch. */
  static forChunks(dataKey: Buffer, batchId: BatchId): BatchCipher {
    return new BatchCipher(dataKey, batchIdBytes(batchId), 'standpipe batch')
  }

  /** For one staged file of a batch, whose salt is never used for another. */
  static forStaging(dataKey: Buffer, batchId: BatchId, salt: Buffer): BatchCipher {
    const salts = Buffer.concat([batchIdBytes(batchId), salt])
    return new BatchCipher(dataKey, salts, 'standpipe staging')
  }

  encrypt(payload: Buffer, associated: Buffer): Buffer {
    const nonce = Buffer.alloc(NONCE_BYTES)
    nonce.writeBigUInt64LE(this.#sequence)
    this.#sequence += 1n
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce)
    cipher.setAAD(associated)
    return Buffer.concat([nonce, cipher.update(payload), cipher.final(), cipher.getAuthTag()])
  }

  /** @throws when the payload was not encrypted for this batch and place */
  decrypt(encrypted: Buffer, associated: Buffer): Buffer {
    const tagAt = encrypted.byteLength - TAG_BYTES
    const nonce = encrypted.subarray(0, NONCE_BYTES)
    const decipher = createDecipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(associated)
    decipher.setAuthTag(encrypted.subarray(tagAt))
    return Buffer.concat([
      decipher.update(encrypted.subarray(NONCE_BYTES, tagAt)),
      decipher.final(),
    ])
  }
}
