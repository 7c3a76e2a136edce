/**
 * How a body without base64 becomes records.
 *
 *   application/json                       an array; each element is a record, as it is written there
 *   application/x-ndjson, application/jsonl  each line that isn't empty is a record
 *   anything else                          each line is a record, empty ones too
 *
 * Lines end with LF; a carriage return before it belongs to the record. Bytes are kept as they are.
 */
import { isUtf8 } from 'node:buffer'
import { ApiError, serializationError, validationError } from '../exceptions.ts'
import { RECORD_BYTES_MAX } from '../put/put-limits.ts'

/** Of one request. The answer names each record, so that the count has to have a bound. */
export const RECORD_COUNT_MAX = 100_000

const LINE_FEED = 0x0a
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const ARRAY_START = 0x5b
const ARRAY_END = 0x5d
const OBJECT_START = 0x7b
const OBJECT_END = 0x7d

/**
 * The records of a body, each a view into it.
 * @throws ApiError SerializationException, ValidationException when a record is too long,
 *   RequestEntityTooLargeException when there are too many
 */
export function splitRecords(contentType: string | undefined, body: Buffer): readonly Buffer[] {
  const mediaType = (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase()
  const records: Buffer[] = []
  for (const record of recordsOfBody(mediaType, body)) {
    if (record.byteLength > RECORD_BYTES_MAX) throw tooLong(records.length + 1)
    if (records.length === RECORD_COUNT_MAX) throw tooMany()
    if (mediaType === 'application/json') requireJson(record, records.length + 1)
    records.push(record)
  }
  return records
}

function* recordsOfBody(mediaType: string, body: Buffer): Generator<Buffer> {
  if (mediaType === 'application/json') yield* elementsOf(body)
  else if (mediaType === 'application/x-ndjson' || mediaType === 'application/jsonl') {
    for (const line of linesOf(body)) if (!isBlank(line)) yield line
  } else yield* linesOf(body)
}

function* linesOf(body: Buffer): Generator<Buffer> {
  let start = 0
  while (start < body.byteLength) {
    const lineFeed = body.indexOf(LINE_FEED, start)
    const end = lineFeed < 0 ? body.byteLength : lineFeed
    yield body.subarray(start, end)
    start = end + 1
  }
}

/**
 * The elements of a JSON array: what stands between its commas. Whether each is JSON is for the
 * caller to check; if so, the whole is.
 */
function* elementsOf(body: Buffer): Generator<Buffer> {
  const array = trimmed(body)
  if (!isUtf8(array) || array.at(0) !== ARRAY_START || array.at(-1) !== ARRAY_END) {
    throw serializationError('Cannot read the body: not a JSON array')
  }
  const elements = trimmed(array.subarray(1, -1))
  if (elements.byteLength === 0) return
  let start = 0
  let depth = 0
  let inString = false
  for (let index = 0; index < elements.byteLength; index += 1) {
    const byte = elements[index]
    if (inString) {
      if (byte === BACKSLASH) index += 1
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === ARRAY_START || byte === OBJECT_START) depth += 1
    else if (byte === ARRAY_END || byte === OBJECT_END) depth -= 1
    else if (byte === COMMA && depth === 0) {
      yield trimmed(elements.subarray(start, index))
      start = index + 1
    }
  }
  yield trimmed(elements.subarray(start))
}

function requireJson(record: Buffer, ordinal: number): void {
  try {
    JSON.parse(record.toString('utf8'))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw serializationError(`Cannot read the body: element ${ordinal} is not JSON`)
  }
}

/** Without JSON's white space at both ends. */
function trimmed(bytes: Buffer): Buffer {
  let start = 0
  let end = bytes.byteLength
  while (start < end && isWhiteSpace(bytes[start])) start += 1
  while (end > start && isWhiteSpace(bytes[end - 1])) end -= 1
  return bytes.subarray(start, end)
}

function isBlank(line: Buffer): boolean {
  return trimmed(line).byteLength === 0
}

function isWhiteSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === LINE_FEED || byte === 0x0d || byte === 0x09
}

function tooLong(ordinal: number): ApiError {
  return validationError([
    `Value at 'records.${ordinal}.member.data' failed to satisfy constraint: ` +
      `Member must have length less than or equal to ${RECORD_BYTES_MAX}`,
  ])
}

function tooMany(): ApiError {
  return new ApiError(
    'RequestEntityTooLargeException',
    `Cannot take more than ${RECORD_COUNT_MAX} records at once`,
  )
}
