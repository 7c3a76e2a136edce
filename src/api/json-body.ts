/** JSON from outside: strict UTF-8, one object, and no deeper than anything the API describes. */
import { isUtf8 } from 'node:buffer'
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { serializationError } from './exceptions.ts'

/** The model's deepest input has 9 levels. */
const DEPTH_MAX = 64

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * The object that a body holds. An empty body is `{}`, as AWS takes it. Objects may have an own
 * member `__proto__`: read only by own members.
 * @throws ApiError SerializationException
 */
export function parseJsonBody(body: Buffer): JsonObject {
  if (body.byteLength === 0) return {}
  if (!isUtf8(body)) throw serializationError('Cannot read the body: not UTF-8')
  // Before parsing, because recursion over the result comes later and has a stack to lose.
  if (isDeeperThan(body, DEPTH_MAX)) {
    throw serializationError('Cannot read the body: nested too deeply')
  }
  const value = parse(body.toString('utf8'))
  if (!isJsonObject(value)) throw serializationError('Cannot read the body: not a JSON object')
  return value
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) throw serializationError('Cannot read the body: not JSON')
    throw error
  }
}

/** Counts brackets outside of strings. */
function isDeeperThan(body: Buffer, depthMax: number): boolean {
  let depth = 0
  let inString = false
  for (let index = 0; index < body.byteLength; index += 1) {
    const byte = body[index]
    if (inString) {
      if (byte === BACKSLASH) index += 1
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1
      if (depth > depthMax) return true
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1
  }
  return false
}
