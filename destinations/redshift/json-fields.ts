/**
 * Rows of JSON: one for each value of a record, which may hold several one after another. Numbers keep
 * the digits they were sent with.
 */
import { isJsonObject } from '../../src/base/json.ts'
import type { Column } from './columns.ts'
import type { CopyOptions } from './copy-options.ts'
import { valueAt } from './json-path.ts'
import { INVALID_JSON, RowRefused } from './row-refused.ts'

/**
 * Where JSON has a number that JavaScript would write otherwise: negative zero, a fraction, an
 * exponent, or more digits than it holds. It may find one in a text, too.
 */
const INEXACT_NUMBER = /(?:^|[[:,])\s*(?:-0|-?\d{16}|-?\d+[.eE][\d.eE+-]*\s*(?:[,\]}]|$))/

/** A number as it was written; JSON.stringify knows it. */
interface RawNumber {
  readonly rawJSON: string
}

/** TypeScript's library does not know these yet. */
const exactJson = JSON as unknown as {
  parse(
    text: string,
    reviver: (key: string, value: unknown, at: { source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): RawNumber
  isRawJSON(value: unknown): value is RawNumber
}

/**
 * The fields of each row, in the order of the columns; null where there is nothing.
 * @throws RowRefused
 */
export function jsonFields(
  text: string,
  columns: readonly Column[],
  { jsonPaths }: CopyOptions,
): (string | null)[][] {
  return valuesOf(text).map((value) => {
    if (typeof jsonPaths !== 'string') {
      return columns.map((column, index) => fieldOf(valueAt(value, jsonPaths[index] ?? []), column))
    }
    if (!isJsonObject(value) || exactJson.isRawJSON(value)) {
      throw new RowRefused(INVALID_JSON, 'JSON value is not an object')
    }
    const members = jsonPaths === 'auto' ? value : lowerCaseMembers(value)
    return columns.map((column) => {
      const name = jsonPaths === 'auto' ? column.name : column.name.toLowerCase()
      return fieldOf(Object.hasOwn(members, name) ? members[name] : undefined, column)
    })
  })
}

function fieldOf(value: unknown, { kind }: Column): string | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'string' && kind !== 'json') return value
  return JSON.stringify(value)
}

function lowerCaseMembers(value: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name.toLowerCase(), member]),
  )
}

function valuesOf(text: string): readonly unknown[] {
  if (text.trim() === '') return []
  try {
    return [parse(text)]
  } catch {
    return splitValues(text).map(parseOrRefuse)
  }
}

function parseOrRefuse(text: string): unknown {
  try {
    return parse(text)
  } catch (error) {
    throw new RowRefused(INVALID_JSON, `invalid JSON: ${(error as Error).message}`)
  }
}

function parse(text: string): unknown {
  // A reviver takes six times as long.
  if (!INEXACT_NUMBER.test(text)) return JSON.parse(text)
  return exactJson.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined ? exactJson.rawJSON(source) : value,
  )
}

/** Cuts where an object or array at the top ends. What is left over is no JSON, and will be told so. */
function splitValues(text: string): readonly string[] {
  const values: string[] = []
  let start = 0
  let depth = 0
  let inString = false
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index)
    if (inString) {
      if (character === '\\') index += 1
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '{' || character === '[') depth += 1
    else if (character === '}' || character === ']') {
      depth -= 1
      if (depth > 0) continue
      values.push(text.slice(start, index + 1))
      start = index + 1
    }
  }
  const rest = text.slice(start)
  return rest.trim() === '' ? values : [...values, rest]
}
