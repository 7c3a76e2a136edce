/**
 * How dates and timestamps are written in JSON (facts: Record format conversion). All are of UTC where
 * they don't say otherwise. Parquet gets microseconds: of nine digits of a fraction six are kept.
 */

/** What a calendar and a clock show. */
export interface Moment {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly micros: number
  /** East of UTC. */
  readonly offsetMinutes: number
}

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** Seconds of the year 5138, milliseconds of 1973: what is less is taken for seconds. */
const EPOCH_SECONDS_END = 100_000_000_000
/** What a Date can hold. */
const EPOCH_MS_MAX = 8_640_000_000_000_000

const DATE = /^(\d{4})-(\d{1,2})-(\d{1,2})$/
const SQL = /^(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?$/
const ISO =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d))?$/
const EPOCH = /^-?\d{1,16}(?:\.\d{1,9})?$/

/** Microseconds since the epoch; undefined for what no calendar or clock shows. */
export function utcMicros(moment: Moment): bigint | undefined {
  const { year, month, day, hour, minute, second, micros, offsetMinutes } = moment
  const dayMs = utcDayMs(year, month, day)
  if (dayMs === undefined || hour > 23 || minute > 59 || second > 59) return undefined
  const ms = dayMs + (hour * 60 + minute - offsetMinutes) * MINUTE_MS + second * 1000
  return BigInt(ms) * 1000n + BigInt(micros)
}

/** Midnight; undefined for a day that is in no calendar. */
function utcDayMs(year: number, month: number, day: number): number | undefined {
  const date = new Date(0)
  // Date.UTC takes the year 50 for 1950.
  const ms = date.setUTCFullYear(year, month - 1, day)
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  return isReal ? ms : undefined
}

/** `yyyy-[M]M-[d]d` as days since the epoch. */
export function parseDate(text: string): number | undefined {
  const [, year, month, day] = DATE.exec(text) ?? []
  const ms = year === undefined ? undefined : utcDayMs(Number(year), Number(month), Number(day))
  return ms === undefined ? undefined : ms / DAY_MS
}

/** `yyyy-[M]M-[d]d HH:mm:ss[.fffffffff]`, as java.sql.Timestamp has it. */
export function parseSqlTimestamp(text: string): bigint | undefined {
  return momentOf(SQL.exec(text))
}

/** Any form that OpenX's SerDe takes: ISO 8601, SQL, or the time since the epoch. */
export function parseAnyTimestamp(text: string): bigint | undefined {
  if (EPOCH.test(text)) return epochMicros(text)
  return momentOf(ISO.exec(text) ?? SQL.exec(text))
}

/** A whole number is seconds or, where that were too far in the future, milliseconds; else seconds. */
function epochMicros(text: string): bigint | undefined {
  const isFractional = text.includes('.')
  const amount = Number(text)
  const isMs = !isFractional && Math.abs(amount) >= EPOCH_SECONDS_END
  if (Math.abs(amount) > EPOCH_MS_MAX / (isMs ? 1 : 1000)) return undefined
  if (isMs) return BigInt(text) * 1000n
  const [whole = '', fraction = ''] = text.split('.')
  return BigInt(`${whole}${fraction.padEnd(6, '0').slice(0, 6)}`)
}

/** Milliseconds since the epoch. */
export function parseMillis(text: string): bigint | undefined {
  const isWhole = /^-?\d{1,16}$/.test(text) && Math.abs(Number(text)) <= EPOCH_MS_MAX
  return isWhole ? BigInt(text) * 1000n : undefined
}

function momentOf(found: RegExpExecArray | null): bigint | undefined {
  if (found === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', sign, hours, minutes] = found
  const offset = Number(hours ?? 0) * 60 + Number(minutes ?? 0)
  return utcMicros({
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
    micros: Number(fraction.padEnd(6, '0').slice(0, 6)),
    offsetMinutes: sign === '-' ? -offset : offset,
  })
}
