/**
 * Most queries for partition keys do no more than pick values: `{customer: .user.id, "c": .tags[0]}`. Such
 * a one needs no jq. This is the part of the language that is read here:
 *
 *   query   { member , … }
 *   member  key : path           a key is a name or a "text"
 *   path    a dot, or steps; brackets that come first follow a dot, as in .[0]
 *   step    .name   ."text"   ["text"]   [number]
 *
 * A text has no escapes and no interpolation, a number is a whole one, and within a path there are no
 * blanks. Anything else is for jq. The results are jq's in everything, the words of errors included, but
 * that nesting is not limited to its 256 levels.
 */
import type { Json } from '../../base/json.ts'
import { isJsonObject } from '../../base/json.ts'
import type { JqResult } from './jq-call.ts'

export type PathQuery = (input: Json) => JqResult

type Step = string | number
interface Member {
  readonly key: string
  readonly path: readonly Step[]
}

const BLANK = String.raw`[ \t\r\n]*`
const NAME = '[A-Za-z_][A-Za-z0-9_]*'
const TEXT = String.raw`"[^"\\\p{Cc}]*"`
const DOTTED = String.raw`\.(?:${NAME}|${TEXT})`
const BRACKETED = String.raw`\[(?:${TEXT}|-?[0-9]{1,9})\]`
const PATH = String.raw`(?:\.${BRACKETED}|${DOTTED})(?:${BRACKETED}|${DOTTED})*|\.`
const MEMBER = String.raw`${BLANK}(?<key>${NAME}|${TEXT})${BLANK}:${BLANK}(?<path>${PATH})${BLANK}`
const QUERY = new RegExp(
  String.raw`^${BLANK}\{${MEMBER}(?:,${MEMBER})*\}${BLANK}$`.replaceAll(/\?<\w+>/g, '?:'),
  'u',
)
const MEMBERS = new RegExp(String.raw`[{,]${MEMBER}(?=[,}])`, 'gu')
const STEPS = new RegExp(String.raw`${NAME}|${TEXT}|-?[0-9]+`, 'gu')

/** Undefined when the query is not of this kind. */
export function compilePaths(query: string): PathQuery | undefined {
  if (!QUERY.test(query)) return undefined
  const members = [...query.matchAll(MEMBERS)].map(({ groups }) => ({
    key: unquoted(groups?.['key'] ?? ''),
    path: [...(groups?.['path'] ?? '').matchAll(STEPS)].map(([step]) => stepOf(step)),
  }))
  return (input) => pick(members, input)
}

function stepOf(text: string): Step {
  return /^-?[0-9]/.test(text) ? Number(text) : unquoted(text)
}

function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1) : text
}

function pick(members: readonly Member[], input: Json): JqResult {
  const picked: [string, Json][] = []
  for (const { key, path } of members) {
    let value = input
    for (const step of path) {
      const next = follow(value, step)
      if (next === undefined) return { error: cannotIndex(value, step) }
      value = next
    }
    // Half of a surrogate pair is no character for jq.
    picked.push([key, typeof value === 'string' ? value.toWellFormed() : value])
  }
  // Which sets own members, whatever their names.
  return { value: Object.fromEntries(picked) }
}

/** What is not there is null, and so is anything in null. Undefined when there can't be such a thing. */
function follow(value: Json, step: Step): Json | undefined {
  if (value === null) return null
  if (typeof step === 'number') return Array.isArray(value) ? (value.at(step) ?? null) : undefined
  if (!isJsonObject(value)) return undefined
  return Object.hasOwn(value, step) ? (value[step] ?? null) : null
}

function cannotIndex(value: Json, step: Step): string {
  const type = Array.isArray(value) ? 'array' : typeof value
  return `Cannot index ${type} with ${typeof step === 'number' ? 'number' : `string "${step}"`}`
}
