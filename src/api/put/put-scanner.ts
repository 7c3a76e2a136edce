/**
 * Reads the bodies of PutRecord and PutRecordBatch in exactly the form that SDKs send:
 *
 *   {"DeliveryStreamName":"x","Records":[{"Data":"…"},{"Data":"…"}]}
 *   {"DeliveryStreamName":"x","Record":{"Data":"…"}}
 *
 * with the two members in either order and white space between any two tokens. Four times as fast as
 * JSON.parse: nothing but the base64 texts is looked at twice. Anything else (escapes, other members,
 * duplicates, what exceeds a limit) is not accepted here but left to put-parser.ts, which answers for
 * what is wrong with it. So the scanner may give up at will, but must never read a body otherwise
 * than the parser would; put-scanner.test.ts compares the two.
 *
 * Base64 is checked by counting: Node's decoder skips what it doesn't know, and whatever it skips
 * makes its output shorter than the text's length promises. It also knows the URL-safe alphabet, so
 * `-` and `_` are looked for.
 */
import type { BufferPool } from '../../base/buffer-pool.ts'
import { dataOffset, payloadBytes, setRecordLength } from '../../chunk.ts'
import { BATCH_RECORD_COUNT_MAX, RECORD_BYTES_MAX } from './put-limits.ts'
import type { PutInput, PutOperationName } from './put-input.ts'

const QUOTE = 0x22
const DASH = 0x2d
const UNDERSCORE = 0x5f
const PADDING = 0x3d
const NAME_PATTERN = /^[a-zA-Z0-9_.-]{1,64}$/

const token = (text: string): Buffer => Buffer.from(text, 'latin1')
const OBJECT_START = token('{')
const OBJECT_END = token('}')
const ARRAY_START = token('[')
const ARRAY_END = token(']')
const COLON = token(':')
const COMMA = token(',')
const STRING_START = token('"')
const STREAM_NAME = token('"DeliveryStreamName"')
const DATA = token('"Data"')
const RECORDS = { PutRecord: token('"Record"'), PutRecordBatch: token('"Records"') }

/** The body's content, or undefined when it isn't in the form described above. */
export function scanPut(
  operation: PutOperationName,
  body: Buffer,
  buffers: BufferPool,
): PutInput | undefined {
  return new PutScanner(operation, body, buffers).scan()
}

class PutScanner {
  readonly #operation: PutOperationName
  /** The name of the member that holds what is put. */
  readonly #recordsMember: Buffer
  readonly #body: Buffer
  readonly #buffers: BufferPool
  #position = 0
  #streamName = ''
  /** Of each record's base64 text: where it starts and where it ends. */
  readonly #spans: number[] = []

  constructor(operation: PutOperationName, body: Buffer, buffers: BufferPool) {
    this.#operation = operation
    this.#recordsMember = RECORDS[operation]
    this.#body = body
    this.#buffers = buffers
  }

  scan(): PutInput | undefined {
    if (!this.#take(OBJECT_START)) return undefined
    const complete = this.#take(STREAM_NAME)
      ? this.#takeStreamName() &&
        this.#take(COMMA) &&
        this.#take(this.#recordsMember) &&
        this.#takeRecords()
      : this.#take(this.#recordsMember) &&
        this.#takeRecords() &&
        this.#take(COMMA) &&
        this.#take(STREAM_NAME) &&
        this.#takeStreamName()
    if (!complete || !this.#take(OBJECT_END)) return undefined
    this.#skipWhiteSpace()
    return this.#position === this.#body.byteLength ? this.#decode() : undefined
  }

  #takeStreamName(): boolean {
    if (!this.#take(COLON) || !this.#take(STRING_START)) return false
    const start = this.#position
    if (!this.#takeToQuote()) return false
    this.#streamName = this.#body.toString('latin1', start, this.#position - 1)
    return NAME_PATTERN.test(this.#streamName)
  }

  #takeRecords(): boolean {
    if (!this.#take(COLON)) return false
    if (this.#operation === 'PutRecord') return this.#takeFirstRecord() && this.#take(OBJECT_END)
    return this.#take(ARRAY_START) && this.#takeFirstRecord() && this.#takeFurtherRecords()
  }

  #takeFurtherRecords(): boolean {
    const separatorStart = this.#position
    let separatorEnd = separatorStart
    while (this.#spans.length < 2 * BATCH_RECORD_COUNT_MAX) {
      // What stands between the first two records stands between all of them, nearly always.
      if (!this.#takeRepeated(separatorStart, separatorEnd)) {
        if (!this.#take(OBJECT_END)) return false
        if (this.#take(ARRAY_END)) return true
        if (!this.#take(COMMA) || !this.#takeToData()) return false
        if (separatorEnd === separatorStart) separatorEnd = this.#position
      }
      if (!this.#takeData()) return false
    }
    return this.#take(OBJECT_END) && this.#take(ARRAY_END)
  }

  #takeFirstRecord(): boolean {
    return this.#takeToData() && this.#takeData()
  }

  #takeToData(): boolean {
    return (
      this.#take(OBJECT_START) && this.#take(DATA) && this.#take(COLON) && this.#take(STRING_START)
    )
  }

  #takeData(): boolean {
    this.#spans.push(this.#position)
    if (!this.#takeToQuote()) return false
    this.#spans.push(this.#position - 1)
    return true
  }

  #takeToQuote(): boolean {
    const quote = this.#body.indexOf(QUOTE, this.#position)
    this.#position = quote + 1
    return quote >= 0
  }

  /** Moves past the same bytes as those from `start` to `end`, if they follow here. */
  #takeRepeated(start: number, end: number): boolean {
    const length = end - start
    for (let index = 0; index < length; index += 1) {
      if (this.#body[this.#position + index] !== this.#body[start + index]) return false
    }
    this.#position += length
    return length > 0
  }

  /** Moves past white space and the token, if it follows. */
  #take(bytes: Buffer): boolean {
    this.#skipWhiteSpace()
    for (let index = 0; index < bytes.byteLength; index += 1) {
      if (this.#body[this.#position + index] !== bytes[index]) return false
    }
    this.#position += bytes.byteLength
    return true
  }

  #skipWhiteSpace(): void {
    for (;;) {
      const byte = this.#body[this.#position]
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return
      this.#position += 1
    }
  }

  #decode(): PutInput | undefined {
    const spans = this.#spans
    const recordCount = spans.length / 2
    const lengths: number[] = []
    let dataBytes = 0
    for (let record = 0; record < recordCount; record += 1) {
      const length = this.#decodedLength(spans[2 * record]!, spans[2 * record + 1]!)
      if (!Number.isInteger(length) || length > RECORD_BYTES_MAX) return undefined
      lengths.push(length)
      dataBytes += length
    }
    if (this.#isInRecords(DASH) || this.#isInRecords(UNDERSCORE)) return undefined

    const payload = this.#buffers.take(payloadBytes(recordCount, dataBytes))
    let offset = dataOffset(recordCount)
    for (const [record, length] of lengths.entries()) {
      const text = this.#body.toString('latin1', spans[2 * record], spans[2 * record + 1])
      if (payload.write(text, offset, length, 'base64') !== length) return undefined
      setRecordLength(payload, record, length)
      offset += length
    }
    return { streamName: this.#streamName, recordCount, payload }
  }

  /** What the base64 text stands for, in bytes; no integer when it can't be one. */
  #decodedLength(start: number, end: number): number {
    const quantaBytes = ((end - start) / 4) * 3
    if (end === start || this.#body[end - 1] !== PADDING) return quantaBytes
    return quantaBytes - (this.#body[end - 2] === PADDING ? 2 : 1)
  }

  #isInRecords(byte: number): boolean {
    const found = this.#body.indexOf(byte, this.#spans[0])
    return found >= 0 && found < this.#spans.at(-1)!
  }
}
