import type { Json, JsonObject } from '../base/json.ts'
import type { ExplainJob, ExplainedItem, ExplainedRecords } from '../destination.ts'
import type { FormatConversion } from '../processors/conversion/conversion-configuration.ts'
import type { HiveType } from '../processors/conversion/hive-type.ts'
import { RowReader } from '../processors/conversion/row-reader.ts'
import type { TableSchema } from '../table-schema.ts'

const DAY_MS = 86_400_000
const SECOND_MICROS = 1_000_000n

/** The rows that records are in a Parquet file, by the names of its columns. */
export async function explainRows(
  { records }: Pick<ExplainJob, 'records'>,
  schema: TableSchema,
  conversion: JsonObject,
): Promise<ExplainedRecords> {
  const { Deserializer } = (conversion as FormatConversion).InputFormatConfiguration
  const reader = new RowReader(schema, schema.deserializer ?? Deserializer)
  const items: ExplainedItem[] = []
  for await (const group of records()) {
    for (const { ordinal, data } of group) {
      const rows = Array.from(reader.rows(data), (row) =>
        Object.fromEntries(
          reader.fields.map(({ name, type }, index) => [name, shown(row[index], type)]),
        ),
      )
      items.push({ ordinal, item: { rows } })
    }
  }
  return { items, refused: [] }
}

/** A value of a column (processors/json-readers.ts) in JSON: what JSON would round is text. */
function shown(value: unknown, type: HiveType): Json {
  if (value === null || value === undefined) return null
  switch (type.kind) {
    case 'bigint':
      return (value as bigint).toString()
    case 'decimal':
      return decimalText(value as bigint, type.scale)
    case 'timestamp':
      return timestampText(value as bigint)
    case 'date':
      return new Date((value as number) * DAY_MS).toISOString().replace(/T.*/, '')
    case 'binary':
      return Buffer.from(value as Uint8Array).toString('base64')
    case 'array':
      return (value as unknown[]).map((element) => shown(element, type.element))
    case 'map':
      return (value as { key: unknown; value: unknown }[]).map((entry) => ({
        key: shown(entry.key, type.key),
        value: shown(entry.value, type.value),
      }))
    case 'struct': {
      const struct = value as Record<string, unknown>
      return Object.fromEntries(
        type.fields.map((field) => [field.name, shown(struct[field.name], field.type)]),
      )
    }
    default:
      return value as string | number | boolean
  }
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const point = digits.length - scale
  const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`
  return unscaled < 0n ? `-${text}` : text
}

/** To the microsecond, without a zone: a timestamp of Hive has none. */
function timestampText(micros: bigint): string {
  const fraction = ((micros % SECOND_MICROS) + SECOND_MICROS) % SECOND_MICROS
  const seconds = (micros - fraction) / SECOND_MICROS
  const text = new Date(Number(seconds) * 1_000).toISOString().slice(0, -'.000Z'.length)
  return `${text.replace('T', ' ')}.${String(fraction).padStart(6, '0')}`
}
