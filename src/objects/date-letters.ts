/**
 * The letters of Java's DateTimeFormatter patterns, in English, weeks starting on Sunday and the
 * first of a year being that of 1 January. What each prints depends on how often it is repeated, its
 * width. Years are those of four digits, seconds have no fraction, and offsets are whole minutes, as
 * all have been since 1972.
 *
 * Missing are `z` and `v`, the names of zones: Java has tables of its own for them (JST, LHDT).
 */

/** A moment on the wall clock of a zone. */
export interface LocalMoment {
  /** Its UTC members are what that clock shows. */
  readonly clock: Date
  readonly offsetMinutes: number
  readonly timeZone: string
}

type Print = (moment: LocalMoment) => string
type Value = (moment: LocalMoment) => number
/** Undefined for a width that Java refuses. */
type Letter = (width: number) => Print | undefined

interface Words {
  readonly short: readonly string[]
  readonly full: readonly string[]
  readonly narrow: readonly string[]
}

const MONTHS = wordsOf(
  'January February March April May June July August September October November December',
)
const DAYS = wordsOf('Sunday Monday Tuesday Wednesday Thursday Friday Saturday')
const QUARTERS: Words = {
  short: ['Q1', 'Q2', 'Q3', 'Q4'],
  full: ['1st quarter', '2nd quarter', '3rd quarter', '4th quarter'],
  narrow: ['1', '2', '3', '4'],
}
const ERAS: Words = { short: ['AD'], full: ['Anno Domini'], narrow: ['A'] }

const DAY_MS = 86_400_000
const MODIFIED_JULIAN_DAY_OF_EPOCH = 40_587

const year: Value = ({ clock }) => clock.getUTCFullYear()
const month: Value = ({ clock }) => clock.getUTCMonth()
const quarter: Value = (moment) => Math.floor(month(moment) / 3)
const dayOfMonth: Value = ({ clock }) => clock.getUTCDate()
const dayOfWeek: Value = ({ clock }) => clock.getUTCDay()
const hour: Value = ({ clock }) => clock.getUTCHours()
const secondOfDay: Value = ({ clock }) => Math.floor(clock.getTime() / 1000) % 86_400
/** The week's last day says which year and which week of it this is. */
const saturday = ({ clock }: LocalMoment): Date =>
  new Date(clock.getTime() + (6 - clock.getUTCDay()) * DAY_MS)

export const LETTERS: Readonly<Record<string, Letter>> = {
  G: text(() => 0, ERAS),
  u: yearNumber(19, year),
  y: yearNumber(19, year),
  Y: yearNumber(Infinity, (moment) => saturday(moment).getUTCFullYear()),
  Q: numberOrText(quarter, QUARTERS),
  q: numberOrText(quarter, QUARTERS),
  M: numberOrText(month, MONTHS),
  L: numberOrText(month, MONTHS),
  w: number(2, (moment) => Math.ceil(dayOfYear(saturday(moment)) / 7)),
  W: number(1, (moment) => Math.ceil((dayOfMonth(moment) + 6 - dayOfWeek(moment)) / 7)),
  D: number(3, ({ clock }) => dayOfYear(clock)),
  d: number(2, dayOfMonth),
  F: number(1, (moment) => ((dayOfMonth(moment) - 1) % 7) + 1),
  g: number(19, ({ clock }) => Math.floor(clock.getTime() / DAY_MS) + MODIFIED_JULIAN_DAY_OF_EPOCH),
  E: text(dayOfWeek, DAYS),
  e: numberOrText(dayOfWeek, DAYS),
  c: (width) => (width === 2 ? undefined : numberOrText(dayOfWeek, DAYS)(width)),
  a: (width) => (width === 1 ? (moment) => (hour(moment) < 12 ? 'AM' : 'PM') : undefined),
  B: (width) => ([1, 4, 5].includes(width) ? (moment) => dayPeriod(moment, width) : undefined),
  H: number(2, hour),
  k: number(2, (moment) => hour(moment) || 24),
  K: number(2, (moment) => hour(moment) % 12),
  h: number(2, (moment) => hour(moment) % 12 || 12),
  m: number(2, ({ clock }) => clock.getUTCMinutes()),
  s: number(2, ({ clock }) => clock.getUTCSeconds()),
  S: number(9, () => 0),
  n: number(19, () => 0),
  A: number(19, (moment) => secondOfDay(moment) * 1e3),
  N: number(19, (moment) => secondOfDay(moment) * 1e9),
  V: (width) => (width === 2 ? ({ timeZone }) => timeZone : undefined),
  O: (width) => ({ 1: shortOffset, 4: fullOffset })[width],
  Z: (width) => (width === 4 ? fullOffset : OFFSETS.Z[width]),
  X: (width) => OFFSETS.X[width],
  x: (width) => OFFSETS.x[width],
}

/** By width. Java prints seconds, too, in the wider ones, where there are any. */
const OFFSETS: Readonly<Record<'Z' | 'X' | 'x', Readonly<Record<number, Print>>>> = {
  Z: { 1: basic('+0000'), 2: basic('+0000'), 3: basic('+0000'), 5: extended('Z') },
  X: { 1: hours('Z'), 2: basic('Z'), 3: extended('Z'), 4: basic('Z'), 5: extended('Z') },
  x: {
    1: hours('+00'),
    2: basic('+0000'),
    3: extended('+00:00'),
    4: basic('+0000'),
    5: extended('+00:00'),
  },
}

function number(widthMax: number, value: Value): Letter {
  return (width) =>
    width > widthMax ? undefined : (moment) => String(value(moment)).padStart(width, '0')
}

/** Of two digits, the last two. */
function yearNumber(widthMax: number, value: Value): Letter {
  return (width) => number(widthMax, width === 2 ? (moment) => value(moment) % 100 : value)(width)
}

function text(index: Value, { short, full, narrow }: Words): Letter {
  return (width) => {
    const words = [short, short, short, full, narrow][width - 1]
    return words && ((moment) => words[index(moment)] ?? '')
  }
}

/** Numbers count from 1. */
function numberOrText(index: Value, words: Words): Letter {
  const ordinal = number(2, (moment) => index(moment) + 1)
  const word = text(index, words)
  return (width) => (width <= 2 ? ordinal(width) : word(width))
}

function wordsOf(names: string): Words {
  const full = names.split(' ')
  return {
    full,
    short: full.map((name) => name.slice(0, 3)),
    narrow: full.map((name) => name.slice(0, 1)),
  }
}

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 0)) / DAY_MS)
}

function dayPeriod({ clock }: LocalMoment, width: number): string {
  const minute = clock.getUTCHours() * 60 + clock.getUTCMinutes()
  if (minute === 0) return width === 5 ? 'mi' : 'midnight'
  if (minute === 12 * 60) return width === 5 ? 'n' : 'noon'
  if (minute < 6 * 60 || minute >= 21 * 60) return 'at night'
  if (minute < 12 * 60) return 'in the morning'
  return minute < 18 * 60 ? 'in the afternoon' : 'in the evening'
}

/** `+HHmm`: minutes only where there are any. */
function hours(zero: string): Print {
  const print = basic(zero)
  return (moment) => print(moment).replace(/^(.\d\d)00$/, '$1')
}

/** `+HHMM` */
function basic(zero: string): Print {
  const print = extended(zero)
  return (moment) => print(moment).replace(':', '')
}

/** `+HH:MM` */
function extended(zero: string): Print {
  return ({ offsetMinutes }) => {
    if (offsetMinutes === 0) return zero
    const minutes = Math.abs(offsetMinutes)
    const [hh, mm] = [Math.floor(minutes / 60), minutes % 60].map((n) => String(n).padStart(2, '0'))
    return `${offsetMinutes < 0 ? '-' : '+'}${hh}:${mm}`
  }
}

/** `GMT+05:45` */
function fullOffset(moment: LocalMoment): string {
  return `GMT${extended('')(moment)}`
}

/** `GMT+5:45`, `GMT+9` */
function shortOffset(moment: LocalMoment): string {
  return fullOffset(moment)
    .replace(/([+-])0/, '$1')
    .replace(':00', '')
}
