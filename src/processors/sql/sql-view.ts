/** The text of the view `records`, by which DuckDB sees the records' JSON as columns. */
import { isStruct } from './sql-shape.ts'
import type { Shape, StructShape } from './sql-shape.ts'

/** One row for each record: `position INTEGER, record VARCHAR`. */
export const INPUT_TABLE = 'standpipe_input'
/** The record's JSON as it came. There only for a query that names it, so that `*` is without. */
export const RECORD_COLUMN = '_record'

/**
 * Where a record has nothing, `NULL` is written into the view: bound as such it fits wherever any type
 * would, which a column of a made-up type does not.
 */
export function recordsView(columns: StructShape, withRecord: boolean): string {
  const fields = [...columns.fields.values()].filter(({ name }) => !isRecordColumn(name))
  const select = fields.map(({ name, shape }) => {
    return `${expression(shape, `content.${quoteName(name)}`)} AS ${quoteName(name)}`
  })
  if (withRecord) select.push(`record::JSON AS ${quoteName(RECORD_COLUMN)}`)
  // A table without columns is none.
  if (select.length === 0) select.push('NULL AS "_"')
  const structure = structureOf(columns) ?? {}
  const content =
    Object.keys(structure).length === 0
      ? 'NULL'
      : `from_json(record, ${quoteText(JSON.stringify(structure))})`
  return `CREATE OR REPLACE TEMP VIEW records AS SELECT ${select.join(', ')} FROM (
    SELECT record, ${content} AS content FROM ${INPUT_TABLE})`
}

export function isRecordColumn(name: string): boolean {
  return name.toLowerCase() === RECORD_COLUMN
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

type Structure = string | readonly Structure[] | { readonly [name: string]: Structure }

/**
 * As `from_json` wants it. What is always null is left out, for the view has it as such; within a list,
 * which the view takes as a whole, it is text.
 */
function structureOf(shape: Shape, nullAs?: 'VARCHAR'): Structure | undefined {
  if (shape === 'NULL') return nullAs
  if (typeof shape === 'string') return shape
  if (!isStruct(shape)) return [structureOf(shape.element, 'VARCHAR') ?? 'VARCHAR']
  const fields = [...shape.fields.values()].flatMap(({ name, shape: field }) => {
    const structure = structureOf(field, nullAs)
    return structure === undefined ? [] : [[name, structure] as const]
  })
  // Of an object without fields, only that it is there.
  return fields.length === 0 ? 'JSON' : Object.fromEntries(fields)
}

function expression(shape: Shape, value: string): string {
  if (shape === 'NULL') return 'NULL'
  if (!isStruct(shape) || !holdsNull(shape) || shape.fields.size === 0) return value
  const fields = [...shape.fields.values()].map(({ name, shape: field }) => {
    return `${quoteName(name)} := ${expression(field, `${value}.${quoteName(name)}`)}`
  })
  return `CASE WHEN ${value} IS NOT NULL THEN struct_pack(${fields.join(', ')}) END`
}

function holdsNull(shape: Shape): boolean {
  if (!isStruct(shape)) return shape === 'NULL'
  return [...shape.fields.values()].some((field) => holdsNull(field.shape))
}
