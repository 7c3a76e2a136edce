/**
 * Rows of delimited text, as Redshift's COPY reads them: one a line, fields between delimiters. With
 * ESCAPE, a backslash takes away the meaning of the character that follows it, also of a line's end.
 */
import type { CopyOptions } from './copy-options.ts'

/** The fields of each row; null where the text is that of NULL AS. */
export function delimitedFields(text: string, options: CopyOptions): (string | null)[][] {
  const { delimiter, escape, nullAs } = options
  if (escape && text.includes('\\')) return escapedFields(text, options)
  return linesOf(text).map((line) =>
    line.split(delimiter).map((field) => (field === nullAs ? null : field)),
  )
}

/** A line feed, or one after a carriage return, ends a line; the last needs none. */
function linesOf(text: string): readonly string[] {
  const lines = text.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines
}

function escapedFields(text: string, { delimiter, nullAs }: CopyOptions): (string | null)[][] {
  const rows: (string | null)[][] = []
  let row: (string | null)[] = []
  let field = ''
  let start = 0
  const endField = (end: number): void => {
    // NULL AS is compared with the field as it was sent, so that `\N` can be it.
    row.push(text.slice(start, end) === nullAs ? null : field)
    field = ''
    start = end + 1
  }
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index)
    if (character === '\\') {
      index += 1
      field += text.charAt(index)
    } else if (character === delimiter) endField(index)
    else if (character === '\n') {
      if (field.endsWith('\r')) field = field.slice(0, -1)
      endField(index)
      rows.push(row)
      row = []
    } else field += character
  }
  // After a delimiter at the very end, there is an empty field.
  if (start < text.length || row.length > 0) {
    endField(text.length)
    rows.push(row)
  }
  return rows
}
