/**
 * Dates written by Moment's format strings, which templates of the Kinesis Data Generator use: its
 * documented tokens in English, `[text]` and `\c` as they are. Compiled once, run for each record.
 */

/** What a token may ask of an instant. */
interface Moment {
  readonly ms: number
  /** A date whose UTC fields are those of the zone that is wanted. */
  readonly shifted: Date
  readonly offsetMinutes: number
  readonly isUtc: boolean
}
type Token = (moment: Moment) => string

export type DateFormat = (ms: number, isUtc: boolean) => string

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const DAY_MS = 86_400_000

/** Locale formats are other formats. */
const ABBREVIATIONS: Readonly<Record<string, string>> = {
  LTS: 'h:mm:ss A',
  LT: 'h:mm A',
  LLLL: 'dddd, MMMM D, YYYY h:mm A',
  LLL: 'MMMM D, YYYY h:mm A',
  LL: 'MMMM D, YYYY',
  L: 'MM/DD/YYYY',
  llll: 'ddd, MMM D, YYYY h:mm A',
  lll: 'MMM D, YYYY h:mm A',
  ll: 'MMM D, YYYY',
  l: 'M/D/YYYY',
}

const NUMBERS: Readonly<Record<string, (moment: Moment) => number>> = {
  Y: ({ shifted }) => shifted.getUTCFullYear(),
  M: ({ shifted }) => shifted.getUTCMonth() + 1,
  Q: ({ shifted }) => Math.floor(shifted.getUTCMonth() / 3) + 1,
  D: ({ shifted }) => shifted.getUTCDate(),
  DDD: ({ shifted }) => dayOfYear(shifted),
  d: ({ shifted }) => shifted.getUTCDay(),
  e: ({ shifted }) => shifted.getUTCDay(),
  E: ({ shifted }) => shifted.getUTCDay() || 7,
  w: ({ shifted }) => weekOf(shifted, US_WEEK).week,
  W: ({ shifted }) => weekOf(shifted, ISO_WEEK).week,
  H: ({ shifted }) => shifted.getUTCHours(),
  h: ({ shifted }) => shifted.getUTCHours() % 12 || 12,
  k: ({ shifted }) => shifted.getUTCHours() || 24,
  m: ({ shifted }) => shifted.getUTCMinutes(),
  s: ({ shifted }) => shifted.getUTCSeconds(),
  X: ({ ms }) => Math.floor(ms / 1000),
  x: ({ ms }) => ms,
}

const TEXTS: Readonly<Record<string, Token>> = {
  YYYY: ({ shifted }) => padded(shifted.getUTCFullYear(), 4),
  YYYYY: ({ shifted }) => padded(shifted.getUTCFullYear(), 5),
  YYYYYY: ({ shifted }) => `+${padded(shifted.getUTCFullYear(), 6)}`,
  YY: ({ shifted }) => padded(shifted.getUTCFullYear() % 100, 2),
  MMMM: ({ shifted }) => MONTHS[shifted.getUTCMonth()] ?? '',
  MMM: ({ shifted }) => (MONTHS[shifted.getUTCMonth()] ?? '').slice(0, 3),
  dddd: ({ shifted }) => WEEKDAYS[shifted.getUTCDay()] ?? '',
  ddd: ({ shifted }) => (WEEKDAYS[shifted.getUTCDay()] ?? '').slice(0, 3),
  dd: ({ shifted }) => (WEEKDAYS[shifted.getUTCDay()] ?? '').slice(0, 2),
  DDDD: ({ shifted }) => padded(dayOfYear(shifted), 3),
  gggg: ({ shifted }) => padded(weekOf(shifted, US_WEEK).year, 4),
  gg: ({ shifted }) => padded(weekOf(shifted, US_WEEK).year % 100, 2),
  GGGG: ({ shifted }) => padded(weekOf(shifted, ISO_WEEK).year, 4),
  GG: ({ shifted }) => padded(weekOf(shifted, ISO_WEEK).year % 100, 2),
  A: ({ shifted }) => (shifted.getUTCHours() < 12 ? 'AM' : 'PM'),
  a: ({ shifted }) => (shifted.getUTCHours() < 12 ? 'am' : 'pm'),
  hmm: ({ shifted }) => `${shifted.getUTCHours() % 12 || 12}${minutesOf(shifted)}`,
  hmmss: ({ shifted }) =>
    `${shifted.getUTCHours() % 12 || 12}${minutesOf(shifted)}${secondsOf(shifted)}`,
  Hmm: ({ shifted }) => `${shifted.getUTCHours()}${minutesOf(shifted)}`,
  Hmmss: ({ shifted }) => `${shifted.getUTCHours()}${minutesOf(shifted)}${secondsOf(shifted)}`,
  Z: ({ offsetMinutes }) => offsetText(offsetMinutes, ':'),
  ZZ: ({ offsetMinutes }) => offsetText(offsetMinutes, ''),
  z: ({ isUtc }) => (isUtc ? 'UTC' : ''),
  zz: ({ isUtc }) => (isUtc ? 'Coordinated Universal Time' : ''),
}

/** The longest that fits is what is meant; what is none of them stands for itself. */
const TOKEN =
  /\[[^[\]]*\]|\\.|LTS?|L{1,4}|l{1,4}|hmmss|hmm|Hmmss|Hmm|[MDdwWQ]o|DDDo|M{1,4}|D{1,4}|d{1,4}|Y{4,6}|YY|Y|y{1,4}|gggg|gg|GGGG|GG|ww?|WW?|HH?|hh?|kk?|mm?|ss?|S{1,9}|ZZ?|zz?|[QEeAaXx]|[^]/gu

export function compileDateFormat(format: string): DateFormat {
  const tokens = tokensOf(format)
  return (ms, isUtc) => {
    const offsetMinutes = isUtc ? 0 : -new Date(ms).getTimezoneOffset()
    const shifted = new Date(ms + offsetMinutes * 60_000)
    const moment = { ms, shifted, offsetMinutes, isUtc }
    return tokens.map((token) => token(moment)).join('')
  }
}

function tokensOf(format: string): Token[] {
  return (format.match(TOKEN) ?? []).flatMap((text) => {
    const expanded = ABBREVIATIONS[text]
    return expanded === undefined ? [tokenOf(text)] : tokensOf(expanded)
  })
}

function tokenOf(text: string): Token {
  const words = TEXTS[text]
  if (words !== undefined) return words
  // Years of an era, of which there is one.
  const number = NUMBERS[/^y+$/.test(text) ? 'Y' : text]
  if (number !== undefined) return (moment) => String(number(moment))
  if (/^S+$/.test(text)) return ({ ms }) => fractionOf(ms, text.length)
  const ordinal = text.endsWith('o') ? NUMBERS[text.slice(0, -1)] : undefined
  if (ordinal !== undefined) return (moment) => withOrdinal(ordinal(moment))
  const twoDigits = text.length === 2 && text[0] === text[1] ? NUMBERS[text[0] ?? ''] : undefined
  if (twoDigits !== undefined) return (moment) => padded(twoDigits(moment), 2)
  if (text.startsWith('[') && text.endsWith(']')) return () => text.slice(1, -1)
  return () => (text.startsWith('\\') && text.length > 1 ? text.slice(1) : text)
}

function padded(value: number, length: number): string {
  return String(value).padStart(length, '0')
}

function minutesOf(date: Date): string {
  return padded(date.getUTCMinutes(), 2)
}

function secondsOf(date: Date): string {
  return padded(date.getUTCSeconds(), 2)
}

/** Clocks of Node know milliseconds; further digits are zeros. */
function fractionOf(ms: number, length: number): string {
  return padded(((ms % 1000) + 1000) % 1000, 3)
    .padEnd(9, '0')
    .slice(0, length)
}

function offsetText(offsetMinutes: number, separator: string): string {
  const minutes = Math.abs(offsetMinutes)
  const sign = offsetMinutes < 0 ? '-' : '+'
  return `${sign}${padded(Math.floor(minutes / 60), 2)}${separator}${padded(minutes % 60, 2)}`
}

function withOrdinal(value: number): string {
  const isTeen = Math.floor((value % 100) / 10) === 1
  const suffix = isTeen ? undefined : { 1: 'st', 2: 'nd', 3: 'rd' }[value % 10]
  return `${value}${suffix ?? 'th'}`
}

function dayOfYear(date: Date): number {
  const midnightMs = Math.floor(date.getTime() / DAY_MS) * DAY_MS
  return (midnightMs - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS + 1
}

/** A week belongs to the year in which its `anchor` weekday lies. */
interface WeekRule {
  readonly firstWeekday: number
  readonly anchorOffset: number
}
/** From Sunday; the week of the first of January, so that Saturday decides. */
const US_WEEK: WeekRule = { firstWeekday: 0, anchorOffset: 6 }
/** From Monday; the week of the first Thursday. */
const ISO_WEEK: WeekRule = { firstWeekday: 1, anchorOffset: 3 }

function weekOf(
  date: Date,
  { firstWeekday, anchorOffset }: WeekRule,
): { year: number; week: number } {
  const sinceFirst = (date.getUTCDay() - firstWeekday + 7) % 7
  const anchor = new Date(date.getTime() + (anchorOffset - sinceFirst) * DAY_MS)
  return { year: anchor.getUTCFullYear(), week: Math.ceil(dayOfYear(anchor) / 7) }
}
