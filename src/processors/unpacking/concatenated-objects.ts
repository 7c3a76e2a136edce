/**
 * Finds JSON objects that stand one after the other in a record. Where an object ends is found by
 * counting brackets outside of strings, byte by byte: in UTF-8 no byte of a longer character looks
 * like one of these. Whether what lies between is JSON is then JSON.parse's to say, so that malformed
 * input is never cut in a wrong place unnoticed.
 */
import { isUtf8 } from 'node:buffer'

export class JsonObjectsError extends Error {
  override readonly name = 'JsonObjectsError'
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING_BRACKET = 0x5b
const CLOSING_BRACKET = 0x5d
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d

/**
 * Each object's bytes, without the white space around it.
 * @throws JsonObjectsError at the first thing that is no object
 */
export function* jsonObjectsIn(bytes: Buffer): Generator<Buffer> {
  let start = skipWhiteSpace(bytes, 0)
  while (start < bytes.byteLength) {
    if (bytes[start] !== OPENING_BRACE) {
      throw new JsonObjectsError(`there is no JSON object at byte ${start}`)
    }
    const end = endOfObject(bytes, start)
    const object = bytes.subarray(start, end)
    if (!isJson(object)) throw new JsonObjectsError(`malformed JSON object at byte ${start}`)
    yield object
    start = skipWhiteSpace(bytes, end)
  }
}

/** One more than the index of the bracket that closes the first one. */
function endOfObject(bytes: Buffer, start: number): number {
  let depth = 0
  for (let at = start; at < bytes.byteLength; at += 1) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      at = endOfString(bytes, at)
    } else if (byte === OPENING_BRACE || byte === OPENING_BRACKET) {
      depth += 1
    } else if (byte === CLOSING_BRACE || byte === CLOSING_BRACKET) {
      depth -= 1
      if (depth === 0) return at + 1
    }
  }
  throw new JsonObjectsError(`the JSON object at byte ${start} does not end`)
}

/** The index of the closing quote; the end of the bytes when there is none. */
function endOfString(bytes: Buffer, start: number): number {
  let at = start + 1
  while (at < bytes.byteLength && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
  return at
}

function skipWhiteSpace(bytes: Buffer, start: number): number {
  let at = start
  while (isWhiteSpace(bytes[at])) at += 1
  return at
}

function isWhiteSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function isJson(bytes: Buffer): boolean {
  if (!isUtf8(bytes)) return false
  try {
    JSON.parse(bytes.toString())
    return true
  } catch {
    return false
  }
}
