/**
 * Reads a request of Firehose's HTTP endpoint protocol:
 *
 *   {"requestId":"…","timestamp":…,"records":[{"data":"<base64>"},…]}
 *
 * Nothing but the records is large. As long as each is in exactly that form, with white space between
 * any two tokens and no escapes, they are found where they lie, and only what is around them goes to the
 * JSON parser, with `null` in their place. Any other body goes there as a whole; it answers for what is wrong.
 */
import { isJsonObject } from '../../base/json.ts'
import type { JsonObject } from '../../base/json.ts'
import { ApiError, serializationError } from '../exceptions.ts'
import { parseJsonBody } from '../json-body.ts'

export interface EndpointRequest {
  readonly requestId: string
  readonly recordCount: number
  /** Of a record's base64, in characters. */
  readonly textLength: (index: number) => number
  /** A record's base64, which may not be any. */
  readonly text: (index: number) => string
}

/** The protocol's own limit. */
const RECORD_COUNT_MAX = 10_000
/** Of what is around the records. */
const ENVELOPE_BYTES_MAX = 64 * 1024
/** A GUID where Firehose sends it; here it is a part of a name that is kept. */
const REQUEST_ID_PATTERN = /^[\x21-\x7e]{1,128}$/

const QUOTE = 0x22
const BACKSLASH = 0x5c
const token = (text: string): Buffer => Buffer.from(text, 'latin1')
const RECORDS = token('"records"')
const DATA = token('"data"')
const ARRAY_START = token('[')
const ARRAY_END = token(']')
const OBJECT_START = token('{')
const OBJECT_END = token('}')
const STRING_START = token('"')
const COLON = token(':')
const COMMA = token(',')
const NULL = token('null')

/** @throws ApiError SerializationException, RequestEntityTooLargeException for too many records */
export function readEndpointRequest(body: Buffer): EndpointRequest {
  const request = scanned(body) ?? parsed(body)
  if (request.recordCount <= RECORD_COUNT_MAX) return request
  const message = `Cannot take more than ${RECORD_COUNT_MAX} records at once`
  throw new ApiError('RequestEntityTooLargeException', message)
}

function parsed(body: Buffer): EndpointRequest {
  const envelope = parseJsonBody(body)
  const records = Object.hasOwn(envelope, 'records') ? envelope['records'] : undefined
  if (!Array.isArray(records)) {
    throw serializationError('Cannot read the body: records must be a list')
  }
  const texts = records.map((record: unknown, index) => {
    const data = isJsonObject(record) && Object.hasOwn(record, 'data') ? record['data'] : undefined
    if (typeof data === 'string') return data
    throw serializationError(`Cannot read the body: record ${index + 1} has no data`)
  })
  return {
    requestId: requestIdOf(envelope),
    recordCount: texts.length,
    textLength: (index) => texts[index]?.length ?? 0,
    text: (index) => texts[index] ?? '',
  }
}

function requestIdOf(envelope: JsonObject): string {
  const requestId = Object.hasOwn(envelope, 'requestId') ? envelope['requestId'] : undefined
  if (typeof requestId === 'string' && REQUEST_ID_PATTERN.test(requestId)) return requestId
  throw serializationError(
    'Cannot read the body: requestId must be 1 to 128 characters of ASCII without spaces',
  )
}

/** Undefined when the body is in another form. */
function scanned(body: Buffer): EndpointRequest | undefined {
  const found = body.indexOf(RECORDS)
  if (found === -1) return undefined
  const list = new RecordList(body, found + RECORDS.byteLength)
  if (!list.scan()) return undefined
  const { start, end, spans } = list
  if (start + body.byteLength - end > ENVELOPE_BYTES_MAX) return undefined
  const around = Buffer.concat([body.subarray(0, start), NULL, body.subarray(end)])
  const envelope = parseJsonBody(around)
  // Else what was found is not the envelope's own member, or not the last one of that name.
  if (!Object.hasOwn(envelope, 'records') || envelope['records'] !== null) return undefined
  const from = (index: number): number => spans[2 * index] ?? 0
  const to = (index: number): number => spans[2 * index + 1] ?? 0
  return {
    requestId: requestIdOf(envelope),
    recordCount: spans.length / 2,
    textLength: (index) => to(index) - from(index),
    text: (index) => body.toString('latin1', from(index), to(index)),
  }
}

/** Goes through the value of `records`, which begins with a colon at `position`. */
class RecordList {
  readonly #body: Buffer
  #position: number
  /** Where the list is. */
  start = 0
  end = 0
  /** Of each record's base64: where it starts and where it ends. */
  readonly spans: number[] = []

  constructor(body: Buffer, position: number) {
    this.#body = body
    this.#position = position
  }

  /** False when it is in another form, or too long for what the protocol takes. */
  scan(): boolean {
    if (!this.#take(COLON) || !this.#take(ARRAY_START)) return false
    this.start = this.#position - 1
    if (!this.#take(ARRAY_END)) {
      do {
        if (this.spans.length > 2 * RECORD_COUNT_MAX || !this.#takeRecord()) return false
      } while (this.#take(COMMA))
      if (!this.#take(ARRAY_END)) return false
    }
    this.end = this.#position
    // Some encoders write base64 with escapes.
    const backslash = this.#body.indexOf(BACKSLASH, this.start)
    return backslash === -1 || backslash > this.end
  }

  #takeRecord(): boolean {
    const begins =
      this.#take(OBJECT_START) && this.#take(DATA) && this.#take(COLON) && this.#take(STRING_START)
    if (!begins) return false
    const quote = this.#body.indexOf(QUOTE, this.#position)
    if (quote === -1) return false
    this.spans.push(this.#position, quote)
    this.#position = quote + 1
    return this.#take(OBJECT_END)
  }

  /** Moves past white space and the token, if it follows. */
  #take(bytes: Buffer): boolean {
    const body = this.#body
    let position = this.#position
    for (;;) {
      const byte = body[position]
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break
      position += 1
    }
    for (let index = 0; index < bytes.byteLength; index += 1) {
      if (body[position + index] !== bytes[index]) return false
    }
    this.#position = position + bytes.byteLength
    return true
  }
}
