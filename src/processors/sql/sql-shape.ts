/**
 * Which columns SQL finds in a batch, and of which types: what the records' JSON has.
 *
 *   integers BIGINT, beyond 64 bits HUGEINT    other numbers DOUBLE    true, false BOOLEAN
 *   text VARCHAR    objects STRUCT    arrays LIST of what is in them
 *   different things in different records: JSON    nothing but null: NULL, which fits everywhere
 *
 * A text that looks like a time is text: types must not hang on what a batch happens to hold more than
 * they have to. Names are SQL's, for which case does not count: of keys that differ in case only the
 * first to be seen is a column. Keys that are empty or hold a NUL are none.
 *
 * DuckDB's memory and time go with the number of columns and fields, so that it is bounded: whatever
 * would exceed it is JSON, and a record that brings too many columns is not taken.
 */

export type Shape = ScalarShape | ListShape | StructShape
type ScalarShape = 'NULL' | 'BOOLEAN' | 'BIGINT' | 'HUGEINT' | 'DOUBLE' | 'VARCHAR' | 'JSON'

interface ListShape {
  readonly kind: 'list'
  element: Shape
}

export interface StructShape {
  readonly kind: 'struct'
  /** In the order they were first seen, by their names in lower case. */
  readonly fields: Map<string, Field>
}

interface Field {
  readonly name: string
  shape: Shape
}

export const COLUMNS_MAX = 1_000
/** Of all objects within records. */
const NESTED_FIELDS_MAX = 1_000
const DEPTH_MAX = 12
const NUMBERS: readonly Shape[] = ['BIGINT', 'HUGEINT', 'DOUBLE']

type JsonRecord = Readonly<Record<string, unknown>>

/** The shape of all records of a batch. */
export class BatchShape {
  readonly columns: StructShape = emptyStruct()
  #nestedFields = 0

  /** False when the record brings too many columns; it is not taken into account then. */
  add(record: JsonRecord): boolean {
    const { fields } = this.columns
    const names = Object.keys(record)
    const canExceed = fields.size + names.length > COLUMNS_MAX
    if (canExceed && this.#sizeWith(names) > COLUMNS_MAX) return false
    for (const name of names) {
      if (canBeName(name)) this.#addMember(this.columns, name, record[name], 1)
    }
    return true
  }

  /**
   * Makes sure that there is something at a path that a query names; what was missing is NULL. What is
   * there and is no object stays as it is.
   */
  addPath(path: readonly string[]): void {
    let shape: Shape = this.columns
    for (const name of path) {
      if (!isStruct(shape)) return
      const { fields }: StructShape = shape
      const field: Field = fields.get(name.toLowerCase()) ?? { name, shape: 'NULL' }
      fields.set(name.toLowerCase(), field)
      shape = field.shape
    }
  }

  #sizeWith(names: readonly string[]): number {
    const { fields } = this.columns
    return new Set([...fields.keys(), ...names.map((name) => name.toLowerCase())]).size
  }

  #addMember(struct: StructShape, name: string, value: unknown, depth: number): void {
    const key = name.toLowerCase()
    const field = struct.fields.get(key)
    if (field === undefined) {
      struct.fields.set(key, { name, shape: this.#widened('NULL', value, depth) })
    } else if (field.name === name) {
      field.shape = this.#widened(field.shape, value, depth)
    }
  }

  /** The shape that holds all that it held, and the value. */
  #widened(shape: Shape, value: unknown, depth: number): Shape {
    if (value === null || shape === 'JSON') return shape
    if (typeof value !== 'object') return merged(shape, scalarShape(value))
    if (depth >= DEPTH_MAX) return 'JSON'
    return Array.isArray(value)
      ? this.#widenedList(shape, value, depth)
      : this.#widenedStruct(shape, value as JsonRecord, depth)
  }

  #widenedList(shape: Shape, values: readonly unknown[], depth: number): Shape {
    const list: Shape = shape === 'NULL' ? { kind: 'list', element: 'NULL' } : shape
    if (typeof list !== 'object' || list.kind !== 'list') return 'JSON'
    for (const value of values) list.element = this.#widened(list.element, value, depth + 1)
    return list
  }

  #widenedStruct(shape: Shape, value: JsonRecord, depth: number): Shape {
    const struct: Shape = shape === 'NULL' ? emptyStruct() : shape
    if (!isStruct(struct)) return 'JSON'
    for (const name in value) {
      if (!struct.fields.has(name.toLowerCase())) this.#nestedFields += 1
      if (this.#nestedFields > NESTED_FIELDS_MAX || !canBeName(name)) return 'JSON'
      this.#addMember(struct, name, value[name], depth + 1)
    }
    return struct
  }
}

export function isStruct(shape: Shape): shape is StructShape {
  return typeof shape === 'object' && shape.kind === 'struct'
}

function emptyStruct(): StructShape {
  return { kind: 'struct', fields: new Map() }
}

/** SQL has no empty names, and DuckDB's end at a NUL. */
function canBeName(name: string): boolean {
  return name !== '' && !name.includes('\0')
}

function merged(held: Shape, added: ScalarShape): Shape {
  if (held === 'NULL' || held === added) return added
  const wider = Math.max(NUMBERS.indexOf(held), NUMBERS.indexOf(added))
  return NUMBERS.includes(held) && NUMBERS.includes(added) ? (NUMBERS[wider] ?? 'JSON') : 'JSON'
}

function scalarShape(value: unknown): ScalarShape {
  if (typeof value === 'string') return 'VARCHAR'
  if (typeof value === 'boolean') return 'BOOLEAN'
  const size = Math.abs(value as number)
  if (!Number.isInteger(value) || size >= 2 ** 127) return 'DOUBLE'
  return size < 2 ** 63 ? 'BIGINT' : 'HUGEINT'
}
