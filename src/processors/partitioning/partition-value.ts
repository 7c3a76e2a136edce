/**
 * Partition keys become parts of object names, and of paths where objects are files. A value may be
 * hostile, so what could mislead a path is percent-encoded: control characters, backslashes, half surrogate
 * pairs, the dots of the segments `.` and `..`, and slashes that would make empty segments. Other
 * slashes make folders, as in AWS. A percent sign is encoded where two hexadecimal digits follow it:
 * so what was encoded can be told from what was there, and no two values become the same.
 */

const VALUE_BYTES_MAX = 256
const SEGMENT_BYTES_MAX = 100
/** Those of the last set are no characters, and can't be in the XML that lists objects. */
const MISLEADING = /[\p{Cc}\p{Cs}\\\ufffe\uffff]|%(?=[0-9A-Fa-f]{2})|^\/|(?<=\/)\/|\/$/gu
const DOT_SEGMENT = /(?<![^/])\.\.?(?![^/])/g

/**
 * A value as it goes into an object's name.
 * @returns undefined when it is empty or would be longer than 256 bytes, or one of its segments than 100
 */
export function safeValue(value: string): string | undefined {
  // Encoded, a character is no shorter.
  if (value === '' || value.length > VALUE_BYTES_MAX) return undefined
  const safe = value.replaceAll(MISLEADING, encoded).replaceAll(DOT_SEGMENT, encoded)
  const isShort =
    Buffer.byteLength(safe) <= VALUE_BYTES_MAX && safe.split('/').every(isShortSegment)
  return isShort ? safe : undefined
}

function isShortSegment(segment: string): boolean {
  return Buffer.byteLength(segment) <= SEGMENT_BYTES_MAX
}

function encoded(characters: string): string {
  return Array.from(characters, (character) => percentEncoded(utf8(character))).join('')
}

function percentEncoded(bytes: Buffer): string {
  return bytes.toString('hex').toUpperCase().replaceAll(/../g, '%$&')
}

/** Half of a surrogate pair has no UTF-8; it gets the bytes that UTF-8's scheme would make of it. */
function utf8(character: string): Buffer {
  if (character.isWellFormed()) return Buffer.from(character)
  const code = character.charCodeAt(0)
  return Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)])
}
