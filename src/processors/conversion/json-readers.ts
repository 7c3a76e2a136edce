/**
 * A reader for each of Hive's types: from a value of JSON to a value of a Parquet column. OpenX's SerDe
 * makes of a text what the column wants and of structures in a string column their JSON; Hive's takes
 * neither. Both fail a record whose value doesn't fit, rather than write null for it.
 *
 *   tinyint, smallint, int, date (days)   number
 *   bigint, decimal (unscaled), timestamp (µs)   bigint
 *   string, varchar, char   string         binary   Uint8Array
 *   array   array of values                map      array of { key, value }
 *   struct  object with all fields         null     null
 */
import type { HiveType } from './hive-type.ts'
import { unscaledDecimal, wholeNumber } from './json-decimal.ts'
import type { JsonValue } from './json-values.ts'
import { parseDate } from './timestamp-text.ts'

export interface ReadingRules {
  /** Take numbers and booleans from text, and structures as text. */
  readonly isLenient: boolean
  /** Microseconds since the epoch. */
  parseTimestamp(text: string): bigint | undefined
  /** What names of fields and keys of JSON are compared by. */
  normalizeKey(key: string): string
}

type Read = (value: JsonValue) => unknown

/** The value's text is needed, which was lost when it was parsed: parse the record exactly. */
export class SourceNeeded extends Error {}

/** A double holds so many digits, whatever they are. */
const SAFE_DIGITS = 15
const INTEGERS = {
  tinyint: 2n ** 7n,
  smallint: 2n ** 15n,
  int: 2n ** 31n,
  bigint: 2n ** 63n,
}
/** Without two ways to read the same digits, which a record of digits could take ages to tell apart. */
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** Distinct keys of JSON that a struct remembers the field of. */
const KNOWN_KEYS_MAX = 10_000

/** For values that may be null. */
export function readerOf(type: HiveType, rules: ReadingRules): Read {
  const read = valueReader(type, rules)
  return (value) => (value === null ? null : read(value))
}

function valueReader(type: HiveType, rules: ReadingRules): Read {
  switch (type.kind) {
    case 'boolean':
      return (value) => {
        if (typeof value === 'boolean') return value
        const text = rules.isLenient && typeof value === 'string' ? value.toLowerCase() : ''
        return text === 'true' || (text === 'false' ? false : mismatch(type, value))
      }
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
      return integerReader(type.kind, rules)
    case 'float':
    case 'double': {
      const narrow = type.kind === 'float' ? Math.fround : Number
      return (value) => {
        const number = typeof value === 'number' ? value : Number(numberText(type, value, rules))
        return Number.isFinite(narrow(number)) ? number : mismatch(type, value)
      }
    }
    case 'decimal':
      return (value) => {
        const text = numberText(type, value, rules)
        return unscaledDecimal(text, type.precision, type.scale) ?? mismatch(type, value)
      }
    case 'string':
      return (value) => textOf(type, value, rules)
    case 'varchar':
      return (value) => firstCharacters(textOf(type, value, rules), type.length)
    case 'char':
      return (value) => firstCharacters(textOf(type, value, rules), type.length).replace(/ +$/, '')
    case 'binary':
      return (value) => {
        if (typeof value !== 'string' || !BASE64.test(value)) return mismatch(type, value)
        return Buffer.from(value, 'base64')
      }
    case 'date':
      return (value) =>
        (typeof value === 'string' ? parseDate(value) : undefined) ?? mismatch(type, value)
    case 'timestamp':
      return (value) => {
        const text = typeof value === 'string' ? value : numberText(type, value, rules)
        return rules.parseTimestamp(text) ?? mismatch(type, value)
      }
    case 'array': {
      const read = readerOf(type.element, rules)
      return (value) => {
        if (!Array.isArray(value)) return mismatch(type, value)
        return inOrder(value as readonly JsonValue[], read)
      }
    }
    case 'map': {
      // Keys are text in JSON, whatever they are in the table.
      const readKey = valueReader(type.key, { ...rules, isLenient: true })
      const read = readerOf(type.value, rules)
      return (value) => (isObject(value) ? entriesOf(value, readKey, read) : mismatch(type, value))
    }
    // A struct.
    default: {
      const names = type.fields.map(({ name }) => name)
      const keys = names.map((name) => rules.normalizeKey(name))
      const read = fieldsReader(keys, type.fields, rules)
      return (value) => {
        if (!isObject(value)) return mismatch(type, value)
        const values = read(value)
        const struct: Record<string, unknown> = {}
        for (const [index, name] of names.entries()) struct[name] = values[index]
        return struct
      }
    }
  }
}

/**
 * The values of an object's fields, in the fields' order; null where it has none.
 * @param keys what the fields are called in JSON, normalized
 */
export function fieldsReader(
  keys: readonly string[],
  fields: readonly { readonly name: string; readonly type: HiveType }[],
  rules: ReadingRules,
): (object: Readonly<Record<string, JsonValue>>) => unknown[] {
  const readers = fields.map(({ type }) => readerOf(type, rules))
  const indexes = new Map(keys.map((key, index) => [key, index]))
  const known = new Map<string, number | undefined>()
  const indexOf = (key: string): number | undefined => {
    if (known.has(key)) return known.get(key)
    const index = indexes.get(rules.normalizeKey(key))
    if (known.size < KNOWN_KEYS_MAX) known.set(key, index)
    return index
  }
  return (object) => {
    const values: unknown[] = fields.map(() => null)
    let place = ''
    try {
      for (const key of Object.keys(object)) {
        const index = indexOf(key)
        const read = index === undefined ? undefined : readers[index]
        if (index === undefined || read === undefined) continue
        place = key
        values[index] = read(object[key] ?? null)
      }
    } catch (error) {
      throw placed(error, `.${place}`)
    }
    return values
  }
}

function inOrder(elements: readonly JsonValue[], read: Read): unknown[] {
  const values: unknown[] = []
  try {
    for (const element of elements) values.push(read(element))
  } catch (error) {
    throw placed(error, `[${values.length}]`)
  }
  return values
}

function entriesOf(
  object: Readonly<Record<string, JsonValue>>,
  readKey: Read,
  read: Read,
): unknown[] {
  const entries: unknown[] = []
  let place = ''
  try {
    for (const key of Object.keys(object)) {
      place = key
      entries.push({ key: readKey(key), value: read(object[key] ?? null) })
    }
  } catch (error) {
    throw placed(error, `.${place}`)
  }
  return entries
}

export function isObject(value: JsonValue): value is { readonly [key: string]: JsonValue } {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value)
  )
}

function integerReader(kind: keyof typeof INTEGERS, rules: ReadingRules): Read {
  const end = INTEGERS[kind]
  const type = { kind }
  if (kind === 'bigint') {
    return (value) => {
      if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
      const integer = wholeNumber(numberText(type, value, rules))
      return integer !== undefined && integer >= -end && integer < end
        ? integer
        : mismatch(type, value)
    }
  }
  const [min, max] = [-Number(end), Number(end) - 1]
  return (value) => {
    const number =
      typeof value === 'number' ? value : Number(wholeNumber(numberText(type, value, rules)) ?? NaN)
    return Number.isInteger(number) && number >= min && number <= max
      ? number
      : mismatch(type, value)
  }
}

/** The digits of a number, or of a text that holds one where that is taken. */
function numberText(type: HiveType, value: JsonValue, { isLenient }: ReadingRules): string {
  if (typeof value === 'number') {
    const text = String(value)
    if (text.length > SAFE_DIGITS) throw new SourceNeeded()
    return text
  }
  if (JSON.isRawJSON(value)) return value.rawJSON
  if (isLenient && typeof value === 'string' && NUMBER.test(value)) return value
  return mismatch(type, value)
}

function textOf(type: HiveType, value: JsonValue, { isLenient }: ReadingRules): string {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  // 1.0 is a 1 by now.
  if (typeof value === 'number') throw new SourceNeeded()
  if (JSON.isRawJSON(value)) return value.rawJSON
  return isLenient ? structureText(value) : mismatch(type, value)
}

/** JSON without spaces; numbers as they were written. */
function structureText(value: JsonValue): string {
  try {
    return JSON.stringify(value, (_key, member: unknown) => {
      if (typeof member === 'number') throw new SourceNeeded()
      return member
    })
  } catch (error) {
    // The stack's end: a parser may go deeper than what writes.
    if (error instanceof RangeError) throw new Mismatch('it is nested too deep')
    throw error
  }
}

/** Not half of one that takes two UTF-16 units. */
function firstCharacters(text: string, count: number): string {
  return text.length <= count ? text : Array.from(text).slice(0, count).join('')
}

/** The error, that knows now where it was found. */
function placed(error: unknown, place: string): unknown {
  if (error instanceof Mismatch) error.path.unshift(place)
  return error
}

/** A value that is not of its column's type. */
export class Mismatch extends Error {
  /** E.g. `.column`, `[3]`, `.field`. */
  readonly path: string[] = []
}

function mismatch(type: HiveType, value: JsonValue): never {
  throw new Mismatch(`expected ${type.kind}, found ${kindOf(value)}`)
}

/** Not the value itself, which belongs into the error output's rawData and not into logs. */
function kindOf(value: JsonValue): string {
  if (Array.isArray(value)) return 'an array'
  if (isObject(value)) return 'an object'
  if (typeof value === 'string') return 'a string'
  if (typeof value === 'boolean') return 'a boolean'
  return 'a number'
}
