/**
 * DATEFORMAT and TIMEFORMAT of Redshift's COPY: `auto` (the database reads it by itself), `epochsecs`
 * and `epochmillisecs`, or a pattern of YYYY YY MM MON DD HH HH24 HH12 MI SS AM PM and any marks
 * between them. What is read comes out as ISO 8601, in which Postgres is never in doubt.
 */
import { ConfigurationError } from '../../src/destination.ts'

/** The field in ISO 8601, or undefined when it doesn't have this format. */
export type DateReader = (field: string) => string | undefined

const PARTS: Readonly<Record<string, string>> = {
  YYYY: '(?<year>\\d{4})',
  YY: '(?<shortYear>\\d{2})',
  MON: '(?<monthName>[A-Za-z]{3})',
  MM: '(?<month>\\d{1,2})',
  DD: '(?<day>\\d{1,2})',
  HH24: '(?<hour>\\d{1,2})',
  HH12: '(?<hour>\\d{1,2})',
  HH: '(?<hour>\\d{1,2})',
  MI: '(?<minute>\\d{1,2})',
  SS: '(?<second>\\d{1,2}(?:\\.\\d+)?)',
  AM: '(?<half>[AaPp][Mm])',
  PM: '(?<half>[AaPp][Mm])',
}
const PART = /YYYY|YY|MON|MM|DD|HH24|HH12|HH|MI|SS|AM|PM/gi
const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC']

/**
 * @returns undefined for `auto`
 * @throws ConfigurationError
 */
export function compileDateFormat(option: string, format: string): DateReader | undefined {
  const known = format.toLowerCase()
  if (known === 'auto') return undefined
  if (option === 'TIMEFORMAT' && known === 'epochsecs') return (field) => fromEpoch(field, 1_000)
  if (option === 'TIMEFORMAT' && known === 'epochmillisecs') return (field) => fromEpoch(field, 1)
  const marks = format.replaceAll(PART, '')
  const parts = [...format.matchAll(PART)].map(([part]) => groupOf(part.toUpperCase()))
  // The T of ISO 8601 is a mark, too.
  const isRepeated = new Set(parts).size < parts.length
  if (parts.length === 0 || isRepeated || /[A-SU-Za-su-z0-9]/.test(marks)) {
    throw new ConfigurationError(
      `The COPY option ${option} '${format}' is not supported on PostgreSQL`,
    )
  }
  const expression = new RegExp(`^\\s*${expressionOf(format)}\\s*$`)
  return (field) => {
    const groups = expression.exec(field)?.groups
    return groups && isoOf(groups)
  }
}

function groupOf(part: string): string {
  return /<(\w+)>/.exec(PARTS[part] ?? '')?.[1] ?? part
}

function expressionOf(format: string): string {
  const marks = format.split(PART).map((text) => text.replaceAll(/[^\w\s]/g, '\\$&'))
  const parts = [...format.matchAll(PART)].map(([part]) => PARTS[part.toUpperCase()] ?? '')
  return marks.map((mark, index) => mark + (parts[index] ?? '')).join('')
}

function isoOf(groups: Readonly<Record<string, string | undefined>>): string | undefined {
  const { year, shortYear, monthName, month, day = '1', minute = '0', second = '0' } = groups
  const named = MONTHS.indexOf((monthName ?? '').toUpperCase()) + 1
  if (monthName !== undefined && named === 0) return undefined
  const fullYear = year ?? `20${shortYear ?? '00'}`
  const date = `${fullYear}-${twoDigits(monthName === undefined ? (month ?? '1') : String(named))}-${twoDigits(day)}`
  if (groups['hour'] === undefined) return date
  return `${date} ${twoDigits(hourOf(groups['hour'], groups['half']))}:${twoDigits(minute)}:${twoDigits(second)}`
}

function hourOf(hour: string, half: string | undefined): string {
  if (half === undefined) return hour
  return String((Number(hour) % 12) + (half.toUpperCase() === 'PM' ? 12 : 0))
}

function twoDigits(text: string): string {
  return /^\d(?:\.|$)/.test(text) ? `0${text}` : text
}

function fromEpoch(field: string, unitMs: number): string | undefined {
  if (!/^\s*-?\d+(?:\.\d+)?\s*$/.test(field)) return undefined
  const instant = new Date(Number(field) * unitMs)
  return Number.isNaN(instant.getTime()) ? undefined : instant.toISOString()
}
