/**
 * An event or an answer on its way between two threads: JSON, but for the data of its records, which
 * are bytes in memory that changes hands. Base64 of them, and JSON of that, only for the other side to
 * take it apart again, would double what a function costs.
 *
 * What is unpacked is what the JSON would have said. Data that is not at hand in bytes, or not plainly
 * base64, stays in the JSON.
 */
import { base64Room, writeBase64 } from '../base/base64.ts'
import { isJsonObject } from '../base/json.ts'
import { dataNames } from '../functions.ts'
import type { TransformationEvent } from '../functions.ts'

export interface Packed {
  readonly text: string
  /** Of each record: how many of the bytes, which are back to back, are its data; or `NOT_PACKED`. */
  readonly sizes: readonly number[]
  readonly bytes: Uint8Array<ArrayBuffer>
}

export interface PackedAnswer extends Packed {
  /** The size of its JSON with all data in it. */
  readonly sizeBytes: number
}

const NOT_PACKED = -1
const DATA_FRAME_BYTES = ',"data":""'.length
/** Whatever a function's code makes of the global one. */
const { parse, stringify } = JSON

export function packEvent(event: TransformationEvent): Packed {
  const sizes = event.records.map(({ bytes }) => bytes?.byteLength ?? NOT_PACKED)
  const packed = Buffer.allocUnsafeSlow(sizes.reduce((sum, size) => sum + Math.max(size, 0), 0))
  let filledBytes = 0
  const records = event.records.map((record) => {
    if (record.bytes === undefined) return record
    filledBytes += record.bytes.copy(packed, filledBytes)
    return { ...record, bytes: undefined, data: undefined }
  })
  return { text: stringify({ ...event, records }), sizes, bytes: packed }
}

export function unpackEvent(packed: Packed): TransformationEvent {
  const event = parse(packed.text) as TransformationEvent & Unpacked
  const names = dataNames(event)
  fill(event, packed, (record, bytes) => {
    const data = bytes.toString('base64')
    for (const name of names) record[name] = data
  })
  return event
}

/** Of an event whose records were not packed, the answer isn't either. */
export function answersPacked({ sizes }: Packed): boolean {
  return sizes.some((size) => size !== NOT_PACKED)
}

export function jsonAnswer(value: unknown): PackedAnswer {
  // What JSON has no word for is null, as Lambda's runtime has it.
  const text = stringify(value) ?? 'null'
  return { text, sizeBytes: Buffer.byteLength(text), sizes: [], bytes: new Uint8Array() }
}

export function packAnswer(value: unknown): PackedAnswer {
  const answer = membersOf(value)
  const given = answer?.['records']
  if (!Array.isArray(given) || 'toJSON' in given) return jsonAnswer(value)
  const members = given.map(membersOf)
  const bytes = Buffer.allocUnsafeSlow(
    members.reduce((sum, record) => sum + base64Room(record?.['data']), 0),
  )
  let [filledBytes, dataBytes] = [0, 0]
  const sizes = Array<number>(given.length).fill(NOT_PACKED)
  const records = members.map((record, index): unknown => {
    const { data, ...others } = record ?? {}
    if (typeof data !== 'string' || typeof others['recordId'] !== 'string') return given[index]
    const sizeBytes = writeBase64(data, bytes, filledBytes)
    if (sizeBytes === undefined) return given[index]
    sizes[index] = sizeBytes
    filledBytes += sizeBytes
    dataBytes += DATA_FRAME_BYTES + data.length
    return others
  })
  const { text, sizeBytes } = jsonAnswer({ ...answer, records })
  return { text, sizeBytes: sizeBytes + dataBytes, sizes, bytes }
}

/** Data that was packed is a Buffer. */
export function unpackAnswer(packed: Packed): unknown {
  const answer = parse(packed.text) as Unpacked
  fill(answer, packed, (record, bytes) => {
    record['data'] = bytes
  })
  return answer
}

/** What JSON takes of an object; undefined for anything else, and for what has an idea of its own. */
function membersOf(value: unknown): Record<string, unknown> | undefined {
  return isJsonObject(value) && !('toJSON' in value) ? { ...value } : undefined
}

interface Unpacked {
  readonly records: readonly Record<string, unknown>[]
}

/** Gives each record its data back, where that was packed. What had none packed may be anything. */
function fill(
  value: Unpacked,
  { sizes, bytes }: Packed,
  give: (record: Record<string, unknown>, bytes: Buffer) => void,
): void {
  const packed = Buffer.from(bytes.buffer)
  let start = 0
  for (const [index, sizeBytes] of sizes.entries()) {
    const record = value.records[index]
    if (sizeBytes === NOT_PACKED || record === undefined) continue
    const end = start + sizeBytes
    give(record, packed.subarray(start, end))
    start = end
  }
}
