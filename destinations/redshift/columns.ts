/** The columns of a table that a load fills, and how COPY's options turn a field into their value. */
import type { CopyOptions } from './copy-options.ts'
import { INVALID_DATETIME, RowRefused } from './row-refused.ts'

export interface Column {
  readonly name: string
  readonly kind: 'text' | 'date' | 'time' | 'json' | 'other'
  /** In characters, of a text. */
  readonly lengthMax?: number
}

/**
 * The value of a field, as Postgres reads it.
 * @throws RowRefused
 */
export function valueOf(
  field: string | null,
  { name, kind, lengthMax }: Column,
  options: CopyOptions,
): string | null {
  if (field === null) return null
  if (kind === 'text') return textOf(field, lengthMax, options)
  // As in Redshift, an empty field that is no text is NULL, whatever the options.
  if (field.trim() === '') return null
  const read = {
    date: options.readDate,
    time: options.readTime,
    json: undefined,
    other: undefined,
  }[kind]
  if (read === undefined) return field
  const value = read(field)
  if (value !== undefined) return value
  const format = kind === 'date' ? 'DATEFORMAT' : 'TIMEFORMAT'
  throw new RowRefused(
    INVALID_DATETIME,
    `"${field}" in column ${name} does not have the ${format} of CopyOptions`,
  )
}

function textOf(field: string, lengthMax: number | undefined, options: CopyOptions): string | null {
  if (options.emptyAsNull && field === '') return null
  if (options.blanksAsNull && field !== '' && field.trim() === '') return null
  const trimmed = options.trimBlanks ? field.trimEnd() : field
  if (!options.truncateColumns || lengthMax === undefined || trimmed.length <= lengthMax) {
    return trimmed
  }
  // By code points, so that none is cut in two.
  return Array.from(trimmed).slice(0, lengthMax).join('')
}
