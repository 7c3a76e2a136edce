/**
 * The patterns of HiveJsonSerDe's TimestampFormats: those of Joda's DateTimeFormat, for reading. Text is
 * in English, what a pattern leaves out is that of 1970-01-01T00:00:00Z, and two digits of a year are
 * those of 1950 to 2049. Fractions are read to the microsecond.
 */
import { ConfigurationError } from '../../destination.ts'
import { utcMicros } from './timestamp-text.ts'
import type { Moment } from './timestamp-text.ts'

/** Microseconds since the epoch; undefined when the text is not of the pattern, or no such moment. */
export type ParseTimestamp = (text: string) => bigint | undefined

type Writable<Type> = { -readonly [Member in keyof Type]: Type[Member] }
type Parts = Writable<Moment> & { halfDay: number }
type Take = (parts: Parts, text: string) => void

interface Token {
  readonly source: string
  readonly take?: Take
}

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
const MONTH_NAMES =
  'january|february|march|april|may|june|july|august|september|october|november|december|' +
  'jan|feb|mar|apr|jun|jul|aug|sep|oct|nov|dec'
const DAY_NAMES =
  'monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tue|wed|thu|fri|sat|sun'
const OFFSET = String.raw`z|[+-]\d\d:?\d\d`
const NUMERIC = 'yYdHhKkmsS'

/** @throws ConfigurationError */
export function compileTimestampPattern(pattern: string): ParseTimestamp {
  const fields = [...pattern.matchAll(/([a-zA-Z])\1*|'((?:[^']|'')*)'|([^a-zA-Z'])|'/g)]
  const tokens = fields.map((field, index) => tokenOf(pattern, field, fields[index + 1]))
  const expression = new RegExp(`^${tokens.map(({ source }) => `(${source})`).join('')}$`, 'i')
  return (text) => {
    const [, ...found] = expression.exec(text) ?? []
    if (found.length === 0) return undefined
    const parts: Parts = { ...EPOCH }
    for (const [index, { take }] of tokens.entries()) take?.(parts, found[index] ?? '')
    return utcMicros({ ...parts, hour: parts.hour + parts.halfDay })
  }
}

const EPOCH: Parts = {
  year: 1970,
  month: 1,
  day: 1,
  hour: 0,
  minute: 0,
  second: 0,
  micros: 0,
  offsetMinutes: 0,
  halfDay: 0,
}

function tokenOf(
  pattern: string,
  [text, letter, quoted, sign]: RegExpExecArray,
  next: RegExpExecArray | undefined,
): Token {
  if (sign !== undefined) return { source: RegExp.escape(sign) }
  if (quoted !== undefined) return { source: RegExp.escape(quoted.replaceAll("''", "'") || "'") }
  // Digits that follow each other without a sign between them have the widths of their letters.
  const isPacked = isNumeric(next?.[1], next?.[0].length)
  const token = letter === undefined ? undefined : letterToken(letter, text.length, isPacked)
  if (token !== undefined) return token
  throw new ConfigurationError(
    `Cannot read timestamps by the pattern '${pattern}': '${text}' is not supported`,
  )
}

function isNumeric(letter: string | undefined, width = 0): boolean {
  return letter !== undefined && (NUMERIC.includes(letter) || (letter === 'M' && width < 3))
}

/** Undefined for what is not supported. */
function letterToken(letter: string, width: number, isPacked: boolean): Token | undefined {
  const digits = isPacked ? String.raw`\d{${width}}` : String.raw`\d{1,2}`
  const number = (take: (parts: Parts, value: number) => void, source = digits): Token => ({
    source,
    take: (parts, text) => take(parts, Number(text)),
  })
  switch (letter) {
    case 'y':
    case 'Y':
      if (width === 2) {
        return number((parts, value) => (parts.year = value + (value < 50 ? 2000 : 1900)), '\\d\\d')
      }
      return number((parts, value) => (parts.year = value), isPacked ? digits : '\\d{1,6}')
    case 'M':
      if (width < 3) return number((parts, value) => (parts.month = value))
      return {
        source: MONTH_NAMES,
        take: (parts, text) => (parts.month = MONTHS.indexOf(text.slice(0, 3).toLowerCase()) + 1),
      }
    case 'd':
      return number((parts, value) => (parts.day = value))
    case 'E':
      return { source: DAY_NAMES }
    case 'a':
      return {
        source: 'am|pm',
        take: (parts, text) => (parts.halfDay = text.toLowerCase() === 'pm' ? 12 : 0),
      }
    case 'H':
    case 'K':
      return number((parts, value) => (parts.hour = value))
    case 'k':
      return number((parts, value) => (parts.hour = value === 24 ? 0 : value))
    case 'h':
      return number((parts, value) => (parts.hour = value === 12 ? 0 : value))
    case 'm':
      return number((parts, value) => (parts.minute = value))
    case 's':
      return number((parts, value) => (parts.second = value))
    case 'S':
      return {
        source: isPacked ? digits : String.raw`\d{1,${width}}`,
        take: (parts, text) => (parts.micros = Number(text.padEnd(6, '0').slice(0, 6))),
      }
    case 'Z':
      if (width > 2) return undefined
      return { source: OFFSET, take: (parts, text) => (parts.offsetMinutes = offsetMinutes(text)) }
    default:
      return undefined
  }
}

/** Of `Z`, `+0130` or `+01:30`. */
function offsetMinutes(text: string): number {
  const [, sign, hours, minutes] = /([+-])(\d\d):?(\d\d)/.exec(text) ?? []
  return (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * (sign === '-' ? -1 : 1)
}
