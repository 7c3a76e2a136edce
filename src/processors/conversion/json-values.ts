/** The JSON of records that are to be converted, read strictly, as RFC 8259 has it. */

/** A record that no rows can be made of. */
export class UnreadableRecord extends Error {
  override readonly name: string = 'UnreadableRecord'
  readonly errorCode: 'DataFormatConversion.ParseError' | 'DataFormatConversion.MalformedData'

  constructor(code: 'ParseError' | 'MalformedData', message: string, options?: ErrorOptions) {
    super(message, options)
    this.errorCode = `DataFormatConversion.${code}`
  }
}

/** As parsed; when parsed exactly, every number is a RawJson. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | RawJson
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue }

/**
 * @param exactly the text of every number is kept, which takes several times as long
 * @throws UnreadableRecord
 */
export function parseJson(text: string, exactly: boolean): JsonValue {
  try {
    return exactly ? parseExactly(text) : (JSON.parse(text) as JsonValue)
  } catch (error) {
    throw malformedJson(error)
  }
}

export function malformedJson(error: unknown): UnreadableRecord {
  const reason = error instanceof Error ? error.message : String(error)
  const message = `Encountered malformed JSON: ${reason}`
  return new UnreadableRecord('ParseError', message, { cause: error })
}

function parseExactly(text: string): JsonValue {
  return JSON.parse(text, (_key, value, { source = '' }) =>
    typeof value === 'number' ? JSON.rawJSON(source) : value,
  ) as JsonValue
}
