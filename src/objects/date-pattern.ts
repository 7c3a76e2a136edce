/**
 * Java's DateTimeFormatter patterns as Firehose evaluates them: in English, weeks starting on Sunday,
 * the instant truncated to seconds.
 *
 *   letters    what date-letters.ts says, by letter and by how often it is repeated
 *   p          before letters: pads them to as many characters as there are p
 *   'text'     text; two quotes are one, within quotes and without
 *   [ ]        optional sections, which are always there, for nothing is ever missing
 *   { } #      reserved, refused
 *   else       itself
 *
 * `z` and `v`, the names of zones, are refused rather than printed otherwise than Java would.
 */
import { ConfigurationError } from '../destination.ts'
import type { LocalMoment } from './date-letters.ts'
import { LETTERS } from './date-letters.ts'

/** Formats an instant, given in ms since the epoch. Never throws for instants of these centuries. */
export type DateFormat = (instantMs: number) => string

type Piece = (moment: LocalMoment) => string

const TOKENS =
  /'(?<quoted>(?:[^']|'')*)'|(?<pad>p*)(?<letters>(?<letter>[A-Za-oq-z])\k<letter>*)|./gsu
/** What is no token of its own. */
const RESERVED = /[\]{}#'a-z]/i
const OFFSET = /^GMT(?<sign>[+-])(?<hours>\d\d):(?<minutes>\d\d)/

/**
 * Each hour of two days on which every field is as wide as it gets: Wednesdays in September and
 * December, one with daylight saving time and one without.
 */
export const SAMPLE_INSTANTS_MS: readonly number[] = ['2025-09-24', '2025-12-31'].flatMap((day) =>
  Array.from({ length: 24 }, (_, hour) => Date.parse(`${day}T00:59:59Z`) + hour * 3_600_000),
)

/** @throws ConfigurationError when the pattern is none, or names zones, or the zone is unknown */
export function compileDatePattern(pattern: string, timeZone: string): DateFormat {
  const offsetMinutesAt = offsetsOf(timeZone)
  const pieces = piecesOf(pattern)
  const format: DateFormat = (instantMs) => {
    const offsetMinutes = offsetMinutesAt(instantMs)
    const clock = new Date(instantMs + offsetMinutes * 60_000)
    return pieces.map((print) => print({ clock, offsetMinutes, timeZone })).join('')
  }
  // A pad that is too narrow at one hour and not at another fails here.
  for (const instantMs of SAMPLE_INSTANTS_MS) format(instantMs)
  return format
}

function piecesOf(pattern: string): readonly Piece[] {
  let openSections = 0
  return [...pattern.matchAll(TOKENS)].map(({ 0: token, groups = {} }) => {
    const { quoted, pad = '', letter, letters = '' } = groups
    if (quoted !== undefined) return () => quoted.replaceAll("''", "'") || "'"
    if (letter !== undefined) return padded(pieceOf(letter, letters, pattern), pad.length, pattern)
    if (token === '[' || (token === ']' && openSections > 0)) {
      openSections += token === '[' ? 1 : -1
      return () => ''
    }
    if (RESERVED.test(token)) throw invalid(pattern)
    return () => token
  })
}

function pieceOf(letter: string, letters: string, pattern: string): Piece {
  if (letter === 'z' || letter === 'v') {
    throw new ConfigurationError(
      `The timestamp pattern '${pattern}' uses '${letters}', which is not supported by this version of Standpipe`,
    )
  }
  const piece = LETTERS[letter]?.(letters.length)
  if (!piece) throw invalid(pattern)
  return piece
}

function padded(piece: Piece, width: number, pattern: string): Piece {
  if (width === 0) return piece
  return (moment) => {
    const printed = piece(moment)
    if (printed.length > width) throw invalid(pattern)
    return printed.padStart(width)
  }
}

function invalid(pattern: string): ConfigurationError {
  return new ConfigurationError(`Invalid timestamp pattern '${pattern}'`)
}

/** Minutes east of Greenwich, by instant. */
function offsetsOf(timeZone: string): (instantMs: number) => number {
  if (timeZone === 'UTC') return () => 0
  const format = offsetFormatOf(timeZone)
  return (instantMs) => {
    const name = format.formatToParts(instantMs).find(({ type }) => type === 'timeZoneName')?.value
    const { sign, hours, minutes } = OFFSET.exec(name ?? '')?.groups ?? {}
    const offset = Number(hours ?? 0) * 60 + Number(minutes ?? 0)
    return sign === '-' ? -offset : offset
  }
}

/** Zones are spelt as they are written; the runtime would take `europe/berlin` and `+01:00` too. */
function offsetFormatOf(timeZone: string): Intl.DateTimeFormat {
  const invalidZone = `Invalid time zone '${timeZone}'`
  try {
    const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
    const known = format.resolvedOptions().timeZone
    const isMisspelt = known !== timeZone && known.toLowerCase() === timeZone.toLowerCase()
    if (!isMisspelt && /^[A-Z]/.test(timeZone)) return format
  } catch (error) {
    throw new ConfigurationError(invalidZone, { cause: error })
  }
  throw new ConfigurationError(invalidZone)
}
