/**
 * Turns lines of CSV into JSON, one object a line, with the columns named below. A field may be quoted
 * ("a ""b"", c") but holds no line break. A record in which a line has another number of fields fails.
 */

interface Event {
  readonly records: readonly { readonly recordId: string; readonly data: string }[]
}

interface Answer {
  readonly recordId: string
  readonly result: 'Ok' | 'ProcessingFailed'
  readonly data: string
}

const COLUMNS = ['time', 'customer', 'amount']
/** A quoted field, or one without quotes, and what ends it. */
const FIELD = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y

export async function handler(event: Event): Promise<{ records: Answer[] }> {
  const records = event.records.map(({ recordId, data }): Answer => {
    const lines = Buffer.from(data, 'base64').toString().split(/\r?\n/)
    const rows = lines.filter((line) => line !== '').map(fieldsOf)
    if (rows.some((fields) => fields?.length !== COLUMNS.length)) {
      return { recordId, result: 'ProcessingFailed', data }
    }
    const text = rows.map((fields) => `${JSON.stringify(objectOf(fields ?? []))}\n`).join('')
    return { recordId, result: 'Ok', data: Buffer.from(text).toString('base64') }
  })
  return { records }
}

/** Undefined when quotes are where they can't be. */
function fieldsOf(line: string): string[] | undefined {
  const fields: string[] = []
  FIELD.lastIndex = 0
  for (;;) {
    const match = FIELD.exec(line)
    if (match === null) return undefined
    const [, quoted, plain = '', end] = match
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    if (end === '') return fields
  }
}

function objectOf(fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(COLUMNS.map((column, index) => [column, fields[index] ?? '']))
}
