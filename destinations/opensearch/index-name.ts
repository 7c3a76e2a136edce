/**
 * The name of the index that takes a record: the configured one, and with rotation the UTC time of
 * the record's arrival.
 *
 *   NoRotation  logs               OneHour  logs-2016-02-25-13     OneDay  logs-2016-02-25
 *   OneWeek     logs-2016-w08      OneMonth logs-2016-02
 *
 * AWS's manual speaks of weeks that begin on Sunday, but its example (25 February 2016 is in `w08`)
 * is a week of ISO 8601, and so are ours: they begin on Monday, and belong to the year that has most
 * of their days.
 */
export type IndexRotationPeriod = 'NoRotation' | 'OneHour' | 'OneDay' | 'OneWeek' | 'OneMonth'

const DAY_MS = 86_400_000

/** What each period appends. */
const SUFFIXES: Readonly<Record<IndexRotationPeriod, (arrivalMs: number) => string>> = {
  NoRotation: () => '',
  OneHour: (arrivalMs) => `-${isoTime(arrivalMs).slice(0, 13).replace('T', '-')}`,
  OneDay: (arrivalMs) => `-${isoTime(arrivalMs).slice(0, 10)}`,
  OneWeek: (arrivalMs) => `-${isoWeek(arrivalMs)}`,
  OneMonth: (arrivalMs) => `-${isoTime(arrivalMs).slice(0, 7)}`,
}

export function rotatedIndexName(
  indexName: string,
  period: IndexRotationPeriod,
  arrivalMs: number,
): string {
  return indexName + SUFFIXES[period](arrivalMs)
}

function isoTime(atMs: number): string {
  return new Date(atMs).toISOString()
}

/** The week is that of its Thursday, and its number that of the Thursday within the year. */
function isoWeek(atMs: number): string {
  const daysSinceMonday = (new Date(atMs).getUTCDay() + 6) % 7
  const thursdayMs = atMs + (3 - daysSinceMonday) * DAY_MS
  const year = new Date(thursdayMs).getUTCFullYear()
  const week = Math.floor((thursdayMs - Date.UTC(year, 0, 1)) / DAY_MS / 7) + 1
  return `${year}-w${String(week).padStart(2, '0')}`
}
