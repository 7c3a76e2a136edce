import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'

/** As much as Secrets Manager holds. */
export const SECRET_BYTES_MAX = 64 * 1024

/** @throws Error that tells nothing of the text, unlike JSON.parse's own */
export function parseSecret(text: string): JsonObject {
  if (Buffer.byteLength(text) > SECRET_BYTES_MAX) {
    throw new Error(`is larger than ${SECRET_BYTES_MAX} bytes`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = undefined
  }
  if (!isJsonObject(value)) throw new Error('does not hold a JSON object')
  return value
}
