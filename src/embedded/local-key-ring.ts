/**
 * Wrapping keys for server-side encryption, from a key file or from a setting.
 *
 *   key file:     one `<key id>:<32 bytes in base64>` a line; empty lines and `#` comments are skipped
 *   wrapped key:  'v1' ':' key id ':' base64url of ( nonce (12 bytes) | AES-256-GCM of the key | tag )
 *
 * The first key wraps, all unwrap: to rotate, put a new line on top, and remove the old one when no
 * batch is left that needs it. The key id is authenticated as associated data.
 */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { KeyUnavailable } from '../batch-store.ts'
import type { DataKey, KeyRing } from '../batch-store.ts'

const ALGORITHM = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_ID_PATTERN = /^[\w.-]{1,64}$/
const BASE64_PATTERN = /^[\w+/-]+={0,2}$/

/** For a service without a wrapping key. */
export const NO_KEYS: KeyRing = {
  unwrap() {
    throw new KeyUnavailable('Cannot unwrap the data key: no wrapping key is configured')
  },
}

export class LocalKeyRing implements KeyRing {
  readonly #keys: ReadonlyMap<string, Buffer>
  readonly #currentId: string
  readonly #clock: Clock

  private constructor(keys: ReadonlyMap<string, Buffer>, clock: Clock) {
    const [currentId] = keys.keys()
    if (currentId === undefined) throw new Error('Cannot use the wrapping keys: there is none')
    this.#keys = keys
    this.#currentId = currentId
    this.#clock = clock
  }

  /**
   * @param text lines of a key file, or one key in base64 alone; its id is then derived from it
   * @throws when a line is not a key; the message never shows what it is
   */
  static fromSetting(text: string, clock: Clock): LocalKeyRing {
    const isBareKey = !text.includes(':') && !text.trim().includes('\n')
    return new LocalKeyRing(isBareKey ? bareKey(text.trim()) : parseKeyFile(text), clock)
  }

  makeDataKey(): DataKey {
    const plain = this.#clock.randomBytes(KEY_BYTES)
    return { plain, wrapped: this.#wrap(plain) }
  }

  unwrap(wrapped: string): Buffer {
    const [version, keyId = '', encoded = ''] = wrapped.split(':')
    if (version !== 'v1')
      throw new KeyUnavailable('Cannot unwrap the data key: its format is unknown')
    const key = this.#keys.get(keyId)
    if (key === undefined) {
      throw new KeyUnavailable(
        `Cannot unwrap the data key: wrapping key ${keyId} is not in the key ring`,
      )
    }
    const bytes = Buffer.from(encoded, 'base64url')
    const tagAt = bytes.byteLength - TAG_BYTES
    try {
      const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      })
      decipher.setAAD(Buffer.from(keyId))
      decipher.setAuthTag(bytes.subarray(tagAt))
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, tagAt)), decipher.final()])
    } catch (cause) {
      throw new KeyUnavailable(
        `Cannot unwrap the data key: it was not wrapped by this wrapping key ${keyId}`,
        { cause },
      )
    }
  }

  #wrap(plain: Buffer): string {
    const key = this.#keys.get(this.#currentId) as Buffer
    const nonce = this.#clock.randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, key, nonce)
    cipher.setAAD(Buffer.from(this.#currentId))
    const bytes = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
    return `v1:${this.#currentId}:${bytes.toString('base64url')}`
  }
}

function bareKey(text: string): Map<string, Buffer> {
  const key = decodeKey(text, 'the wrapping key')
  const keyId = createHash('sha256').update(key).digest('hex').slice(0, 16)
  return new Map([[keyId, key]])
}

function parseKeyFile(text: string): Map<string, Buffer> {
  const keys = new Map<string, Buffer>()
  for (const [index, rawLine] of text.split('\n').entries()) {
    const line = rawLine.trim()
    if (line === '' || line.startsWith('#')) continue
    const where = `line ${index + 1} of the wrapping keys`
    const [keyId = '', encoded = ''] = line.split(':')
    if (!KEY_ID_PATTERN.test(keyId) || encoded === '') {
      throw new Error(`Cannot use ${where}: it must be <key id>:<32 bytes in base64>`)
    }
    if (keys.has(keyId)) throw new Error(`Cannot use ${where}: key id ${keyId} is there twice`)
    keys.set(keyId, decodeKey(encoded, where))
  }
  return keys
}

function decodeKey(text: string, where: string): Buffer {
  if (!BASE64_PATTERN.test(text)) throw new Error(`Cannot use ${where}: the key is not base64`)
  const bytes = Buffer.from(text, 'base64')
  if (bytes.byteLength !== KEY_BYTES) {
    throw new Error(
      `Cannot use ${where}: a key has ${KEY_BYTES} bytes, this one ${bytes.byteLength}`,
    )
  }
  return bytes
}
