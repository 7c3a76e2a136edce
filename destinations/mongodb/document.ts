/**
 * A record as a document. The record is one JSON object in UTF-8; what MongoDB's Extended JSON has
 * words for (`{"$date": "2026-01-31T00:00:00Z"}`, `{"$oid": …}`, `{"$numberDecimal": "0.1"}`) becomes
 * that type. Integers beyond 2^53 stay exact as long as 64 bits hold them.
 *
 * A document without an `_id` gets the record's id (RecordId, see src/record.ts), which is the same in
 * every attempt. One that brings its own keeps it.
 */
import { BSON } from 'mongodb'

export interface PendingDocument {
  readonly ordinal: number
  /** Ours is in this collection only if this very record is. */
  readonly hasOwnId: boolean
  readonly document: BSON.Document
}

/** What keeps a record from being a document; the message tells nothing of its data. */
export class InvalidRecord extends Error {
  override readonly name = 'InvalidRecord'
}

/** Before what JavaScript holds exactly ends. */
const LONG_NUMBER = /\d{16}/
const INTEGER = /^-?\d+$/
/** A member, or a text, that begins with a dollar: without one, Extended JSON is plain JSON. */
const DOLLAR = /"(?:\$|\\u0024)/
/** What servers take. */
const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024
const DEPTH_MAX = 100

/** TypeScript does not know yet that a reviver is shown the source. */
type Reviver = (key: string, value: unknown) => unknown

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** @throws InvalidRecord */
export function toDocument(data: Uint8Array, ordinal: number, recordId: string): PendingDocument {
  const value = parse(decode(data))
  const hasOwnId = Object.hasOwn(value, '_id')
  // Servers put it first, too.
  const { _id, ...members } = value
  const document: BSON.Document = { _id: hasOwnId ? _id : recordId, ...members }
  if (sizeOf(document) > DOCUMENT_BYTES_MAX) {
    throw new InvalidRecord('Cannot insert: the document is larger than 16 MiB')
  }
  return { ordinal, hasOwnId, document }
}

function decode(data: Uint8Array): string {
  try {
    return utf8.decode(data)
  } catch (cause) {
    throw new InvalidRecord('Cannot insert: the record is not UTF-8', { cause })
  }
}

function parse(text: string): BSON.Document {
  let value: unknown
  try {
    const exact = LONG_NUMBER.test(text)
      ? JSON.stringify(JSON.parse(text, keepLong as Reviver))
      : text
    // Which is read many times as fast.
    value = DOLLAR.test(exact)
      ? BSON.EJSON.parse(exact, { relaxed: true, useBigInt64: true })
      : JSON.parse(exact)
  } catch (cause) {
    throw new InvalidRecord('Cannot insert: the record is not JSON that BSON can hold', { cause })
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isObject || Object.getPrototypeOf(value) !== Object.prototype) {
    throw new InvalidRecord('Cannot insert: the record is not a JSON object')
  }
  checkValue(value, 1)
  return value as BSON.Document
}

function keepLong(_key: string, value: unknown, { source = '' }: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !INTEGER.test(source))
    return value
  const integer = BigInt(source)
  return BigInt.asIntN(64, integer) === integer ? { $numberLong: source } : value
}

/** @throws InvalidRecord for what would fail, or change, unseen */
function checkValue(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null || '_bsontype' in value) return
  // BSON would make 1970 of it.
  if (value instanceof Date && Number.isNaN(value.getTime())) {
    throw new InvalidRecord('Cannot insert: the record has a $date that is none')
  }
  // A server refuses the whole request for it.
  if (depth > DEPTH_MAX) {
    throw new InvalidRecord(`Cannot insert: the record is nested deeper than ${DEPTH_MAX} levels`)
  }
  for (const member of Object.values(value)) checkValue(member, depth + 1)
}

/** Meets what the driver would meet, before it can spoil an insert of many. */
function sizeOf(document: BSON.Document): number {
  try {
    return BSON.serialize(document).byteLength
  } catch (cause) {
    throw new InvalidRecord('Cannot insert: the record is not JSON that BSON can hold', { cause })
  }
}
