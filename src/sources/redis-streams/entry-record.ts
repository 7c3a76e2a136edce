/**
 * What record an entry is.
 *
 *   VALUE   the value of its field `data`, or of the only field that it has, byte for byte; an entry with
 *           neither is taken as for JSON
 *   JSON    an object of its fields, in their order, with values as text
 */
import type { JsonObject } from '../../base/json.ts'
import type { SourceRecord } from '../../source.ts'

export const RECORD_FORMATS = ['VALUE', 'JSON'] as const
export type RecordFormat = (typeof RECORD_FORMATS)[number]

const DATA_FIELD = 'data'

export interface Field {
  readonly name: string
  readonly value: Buffer
}

export interface Entry {
  readonly id: string
  /** Names may be there twice. */
  readonly fields: readonly Field[]
}

export interface RecordOptions {
  readonly format: RecordFormat
  /** Present where metadata is wanted. */
  readonly metadataOfKey?: string
}

export function recordOf(
  { id, fields }: Entry,
  { format, metadataOfKey }: RecordOptions,
): SourceRecord {
  const chosen = format === 'VALUE' ? valueField(fields) : undefined
  const data = chosen?.value ?? Buffer.from(jsonText(fields))
  if (metadataOfKey === undefined) return { data, position: id }
  const others = chosen === undefined ? [] : fields.filter((field) => field !== chosen)
  return { data, position: id, metadata: metadataOf(metadataOfKey, id, others) }
}

export function entryBytes({ fields }: Entry): number {
  return fields.reduce((sum, { name, value }) => sum + name.length + value.byteLength, 0)
}

function valueField(fields: readonly Field[]): Field | undefined {
  return fields.length === 1 ? fields[0] : fields.find(({ name }) => name === DATA_FIELD)
}

/** By hand, for an object would put names that are numbers first, and have none twice. */
function jsonText(fields: readonly Field[]): string {
  const members = fields.map(
    ({ name, value }) => `${JSON.stringify(name)}:${JSON.stringify(value.toString())}`,
  )
  return `{${members.join(',')}}`
}

/** With the fields that are not in the data. */
function metadataOf(streamKey: string, id: string, others: readonly Field[]): JsonObject {
  const fields = Object.fromEntries(others.map(({ name, value }) => [name, value.toString()]))
  return {
    redisStreamRecordMetadata: { streamKey, id, ...(others.length > 0 && { fields }) },
  }
}
