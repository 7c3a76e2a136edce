/**
 * Rows of CSV: a field may stand in quotes, and then holds delimiters, line ends and doubled quotes. A
 * row may go over several lines, but not beyond its record.
 */
import type { CopyOptions } from './copy-options.ts'
import { BAD_COPY_FORMAT, RowRefused } from './row-refused.ts'

/**
 * The fields of each row; null where the text, without quotes, is that of NULL AS.
 * @throws RowRefused
 */
export function csvFields(text: string, { delimiter, quote, nullAs }: CopyOptions) {
  const rows: (string | null)[][] = []
  let row: (string | null)[] = []
  let position = 0
  while (position < text.length) {
    const isQuoted = text.charAt(position) === quote
    const { field, end } = isQuoted
      ? quotedField(text, position, quote)
      : plainField(text, position, delimiter)
    row.push(!isQuoted && field === nullAs ? null : field)
    position = end
    if (text.charAt(position) === delimiter) {
      position += 1
      // A delimiter at the very end is followed by an empty field.
      if (position < text.length) continue
      row.push(nullAs === '' ? null : '')
    } else position = lineEnd(text, position)
    rows.push(row)
    row = []
  }
  return rows
}

function plainField(text: string, start: number, delimiter: string) {
  let end = start
  while (end < text.length && text.charAt(end) !== delimiter && text.charAt(end) !== '\n') end += 1
  const isCrLf = text.charAt(end) === '\n' && end > start && text.charAt(end - 1) === '\r'
  return { field: text.slice(start, isCrLf ? end - 1 : end), end }
}

function quotedField(text: string, start: number, quote: string) {
  let field = ''
  let position = start + 1
  for (;;) {
    const end = text.indexOf(quote, position)
    if (end === -1) throw new RowRefused(BAD_COPY_FORMAT, 'unterminated CSV quoted field')
    field += text.slice(position, end)
    if (text.charAt(end + 1) !== quote) return { field, end: end + 1 }
    field += quote
    position = end + 2
  }
}

/** The start of the next row. */
function lineEnd(text: string, position: number): number {
  if (position >= text.length) return position
  if (text.charAt(position) === '\n') return position + 1
  if (text.startsWith('\r\n', position)) return position + 2
  if (text.slice(position) === '\r') return position + 1
  throw new RowRefused(BAD_COPY_FORMAT, 'CSV quoted field is followed by more text')
}
