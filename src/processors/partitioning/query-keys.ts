/**
 * The keys of the object that a jq program makes, as far as they can be read off its text: those of
 * `{a: .x, "b c": .y, d}` are `a`, `b c` and `d`. For what else a program may be, jq is to be asked.
 *
 * The program must be one object with keys that are written out. Its entries end at the commas that
 * stand in no brackets, no string and no `if … end`: nothing else in jq has commas of its own there.
 */

const OPENING = ['(', '[', '{', 'if']
const CLOSING = [')', ']', '}', 'end']
/** A word with the sign that goes with it, or any character. A key `if` or `end` is no such word. */
const TOKEN = /[.$@]?[A-Za-z_][A-Za-z0-9_]*(?:\s*:)?|[^]/y
/** Of strings within strings; nobody writes more. */
const DEPTH_MAX = 50
const KEY = /^\s*(?:\$?(?<name>[A-Za-z_][A-Za-z0-9_]*)|(?<text>"(?:[^"\\]|\\[^(])*"))\s*(?::|$)/

/** Undefined when they can't be told. */
export function queryKeys(query: string): ReadonlySet<string> | undefined {
  const keys = objectEntries(query.trim())?.map(keyOf)
  if (keys === undefined) return undefined
  const known = keys.filter((key) => key !== undefined)
  return known.length === keys.length ? new Set(known) : undefined
}

/** What stands between the commas of an object; undefined when the text is something else. */
function objectEntries(text: string): readonly string[] | undefined {
  if (!text.startsWith('{')) return undefined
  const entries: string[] = []
  let depth = 0
  let entryStart = 1
  for (const { token, start, end } of tokens(text, 0)) {
    if (token === '#') return undefined
    if (OPENING.includes(token)) depth += 1
    if (CLOSING.includes(token)) depth -= 1
    if (depth > 1 || (depth === 1 && token !== ',')) continue
    entries.push(text.slice(entryStart, start))
    entryStart = end
    if (depth === 0) return end === text.length ? withoutBlank(entries) : undefined
  }
  return undefined
}

/** `{}` has no entries. */
function withoutBlank(entries: readonly string[]): readonly string[] {
  return entries.length === 1 && entries[0]?.trim() === '' ? [] : entries
}

function keyOf(entry: string): string | undefined {
  const { name, text } = KEY.exec(entry)?.groups ?? {}
  if (text === undefined) return name
  try {
    return JSON.parse(text) as string
  } catch {
    return undefined
  }
}

interface Token {
  readonly token: string
  readonly start: number
  readonly end: number
}

/** A string is one token. */
function* tokens(text: string, from: number, depth = 0): Generator<Token> {
  let start = from
  while (start < text.length) {
    TOKEN.lastIndex = start
    const [token = ''] = TOKEN.exec(text) ?? []
    const end = token === '"' ? stringEnd(text, start, depth) : start + token.length
    yield { token, start, end }
    start = end
  }
}

/** Beyond the closing quote of the string at `start`, or the text's end. */
function stringEnd(text: string, start: number, depth: number): number {
  if (depth > DEPTH_MAX) return text.length
  for (let index = start + 1; index < text.length; index += 1) {
    if (text[index] === '"') return index + 1
    if (text[index] !== '\\') continue
    index = text[index + 1] === '(' ? interpolationEnd(text, index + 1, depth + 1) - 1 : index + 1
  }
  return text.length
}

/** Beyond the parenthesis that closes the one at `start`, or the text's end. */
function interpolationEnd(text: string, start: number, depth: number): number {
  let openCount = 0
  for (const { token, end } of tokens(text, start, depth)) {
    if (token === '(') openCount += 1
    if (token === ')') openCount -= 1
    if (openCount === 0) return end
  }
  return text.length
}
