/**
 * The format in which the Kinesis Producer Library puts many records into one:
 *
 *   aggregate:  f3 89 9a c2 | message | MD5 of message, 16 bytes
 *
 * The message is in protocol buffers: a sequence of fields, each a tag (a varint, field number << 3 |
 * wire type) and a value; wire type 0 is a varint, 1 eight bytes, 2 a varint length and so many bytes,
 * 5 four bytes. A varint has 7 bits a byte, the lowest first; the top bit says that there is more.
 *
 *   AggregatedRecord:  1 partition_key_table, bytes, repeated
 *                      2 explicit_hash_key_table, bytes, repeated
 *                      3 records, Record, repeated
 *   Record:            1 partition_key_index, varint, required
 *                      2 explicit_hash_key_index, varint
 *                      3 data, bytes, required
 *                      4 tags, bytes, repeated
 *
 * Fields that are not known are skipped. Where a record belongs is told by its explicit hash key, a
 * decimal number, or else by its partition key.
 */
import { createHash } from 'node:crypto'

const MAGIC = Buffer.from('f3899ac2', 'hex')
const DIGEST_BYTES = 16

const PARTITION_KEY_TABLE = 1
const EXPLICIT_HASH_KEY_TABLE = 2
const RECORDS = 3
const PARTITION_KEY_INDEX = 1
const EXPLICIT_HASH_KEY_INDEX = 2
const DATA = 3

export interface KplRecord {
  /** In memory of the aggregate. */
  readonly data: Buffer
  readonly partitionKey: string
  readonly explicitHashKey: string | undefined
}

/** The data of the records within; see kplUserRecords. */
export function kplRecords(blob: Buffer): readonly Buffer[] | undefined {
  return kplUserRecords(blob)?.map(({ data }) => data)
}

/**
 * The records within; undefined when the blob is no aggregate, or is damaged: the Kinesis Client Library
 * takes such a blob for a record of its own.
 */
export function kplUserRecords(blob: Buffer): readonly KplRecord[] | undefined {
  if (blob.byteLength < MAGIC.byteLength + DIGEST_BYTES) return undefined
  if (!blob.subarray(0, MAGIC.byteLength).equals(MAGIC)) return undefined
  const message = blob.subarray(MAGIC.byteLength, -DIGEST_BYTES)
  const digest = createHash('md5').update(message).digest()
  if (!blob.subarray(-DIGEST_BYTES).equals(digest)) return undefined
  try {
    return readAggregatedRecord(message)
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined
    throw error
  }
}

class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'
}

function readAggregatedRecord(message: Buffer): readonly KplRecord[] {
  const records: UserRecord[] = []
  const partitionKeys: string[] = []
  const explicitHashKeys: string[] = []
  for (const [number, value] of fieldsIn(message)) {
    if (number === PARTITION_KEY_TABLE) partitionKeys.push(bytesOf(value).toString())
    if (number === EXPLICIT_HASH_KEY_TABLE) explicitHashKeys.push(bytesOf(value).toString())
    if (number === RECORDS) records.push(readRecord(bytesOf(value)))
  }
  return records.map(({ data, partitionKeyIndex, explicitHashKeyIndex }) => {
    const partitionKey = partitionKeys[partitionKeyIndex]
    if (partitionKey === undefined) throw new MalformedMessage('A key is not in its table')
    const explicitHashKey = explicitHashKeys[explicitHashKeyIndex ?? -1]
    return { data, partitionKey, explicitHashKey }
  })
}

interface UserRecord {
  readonly partitionKeyIndex: number
  readonly explicitHashKeyIndex: number | undefined
  readonly data: Buffer
}

function readRecord(message: Buffer): UserRecord {
  let partitionKeyIndex: number | undefined
  let explicitHashKeyIndex: number | undefined
  let data: Buffer | undefined
  for (const [number, value] of fieldsIn(message)) {
    if (number === PARTITION_KEY_INDEX) partitionKeyIndex = varintOf(value)
    if (number === EXPLICIT_HASH_KEY_INDEX) explicitHashKeyIndex = varintOf(value)
    if (number === DATA) data = bytesOf(value)
  }
  if (partitionKeyIndex === undefined || data === undefined) {
    throw new MalformedMessage('A required field is missing')
  }
  return { partitionKeyIndex, explicitHashKeyIndex, data }
}

/** A varint, or the bytes of any other wire type. */
type FieldValue = number | Buffer

function bytesOf(value: FieldValue): Buffer {
  if (typeof value === 'number') throw new MalformedMessage('Bytes are expected')
  return value
}

function varintOf(value: FieldValue): number {
  if (typeof value !== 'number') throw new MalformedMessage('A varint is expected')
  return value
}

function* fieldsIn(message: Buffer): Generator<readonly [number: number, value: FieldValue]> {
  let at = 0
  const readVarint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at]
      if (byte === undefined || scale >= 2 ** 70) throw new MalformedMessage('A varint has no end')
      at += 1
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }
  const readBytes = (sizeBytes: number): Buffer => {
    if (sizeBytes > message.byteLength - at) throw new MalformedMessage('A field has no end')
    const bytes = message.subarray(at, at + sizeBytes)
    at += sizeBytes
    return bytes
  }
  while (at < message.byteLength) {
    const tag = readVarint()
    const wireType = tag % 8
    const number = Math.floor(tag / 8)
    if (number < 1) throw new MalformedMessage('A field has no number')
    if (wireType === 0) yield [number, readVarint()]
    else if (wireType === 1) yield [number, readBytes(8)]
    else if (wireType === 2) yield [number, readBytes(readVarint())]
    else if (wireType === 5) yield [number, readBytes(4)]
    else throw new MalformedMessage(`There is no wire type ${wireType}`)
  }
}
