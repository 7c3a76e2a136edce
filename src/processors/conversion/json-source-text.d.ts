/** "JSON.parse source text access", which Node 24 has and TypeScript's library does not know yet. */
interface RawJson {
  readonly rawJSON: string
}

interface JSON {
  /** Without rounding numbers: `source` is the text of a number, string, boolean or null. */
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown
  /** Stands for the text in what `stringify` writes. */
  rawJSON(text: string): RawJson
  isRawJSON(value: unknown): value is RawJson
}
