/**
 * Java's DateTimeFormatter patterns as Firehose evaluates them: in English, weeks starting on Sunday,
 * the instant truncated to seconds. js-joda knows the language; of the 37 letters it treats these
 * otherwise than Java, and they are refused rather than printed differently:
 *
 * - `z`, `v` (zone names), `B` (period of the day), `g` (modified Julian day);
 * - `LLLLL` and `ccccc` (narrow stand-alone text);
 * - `DD`, and `A` and `N` more than once: Java lets a value grow beyond that width, js-joda fails.
 */
import { createRequire } from 'node:module'
import { DateTimeFormatter, Instant, ZonedDateTime, ZoneId, ZoneRulesProvider } from '@js-joda/core'
import type * as English from '@js-joda/locale_en'
import { ConfigurationError } from '../destination.ts'

/** Formats an instant, given in ms since the epoch. Never throws for instants of these centuries. */
export type DateFormat = (instantMs: number) => string

const UNSUPPORTED = /[zvBg]|L{5}|c{5}|(?<!D)DD(?!D)|AA|NN/
/** Letters that print text or depend on where weeks start. */
const LOCALISED = /[GEecaOwWY]|[MLQq]{3}|Z{4}/
const QUOTED = /'[^']*'/g

const load = createRequire(import.meta.url)

/**
 * Each hour of two days on which every field is as wide as it gets: Wednesdays in September and
 * December, one with daylight saving time and one without.
 */
export const SAMPLE_INSTANTS_MS: readonly number[] = ['2025-09-24', '2025-12-31'].flatMap((day) =>
  Array.from({ length: 24 }, (_, hour) => Date.parse(`${day}T00:59:59Z`) + hour * 3_600_000),
)

/** @throws ConfigurationError when the pattern is none, or one of those above, or the zone is unknown */
export function compileDatePattern(pattern: string, timeZone: string): DateFormat {
  const bare = pattern.replaceAll(QUOTED, ' ')
  const unsupported = UNSUPPORTED.exec(bare)?.[0]
  if (unsupported !== undefined) {
    throw new ConfigurationError(
      `The timestamp pattern '${pattern}' uses '${unsupported}', which is not supported by this version of Standpipe`,
    )
  }
  const zone = zoneOf(timeZone)
  try {
    const formatter = formatterOf(pattern, LOCALISED.test(bare))
    const format: DateFormat = (instantMs) => {
      const instant = Instant.ofEpochSecond(Math.floor(instantMs / 1000))
      return formatter.format(ZonedDateTime.ofInstant(instant, zone))
    }
    // What fails at one hour and not at another, e.g. a pad narrower than its field, fails here.
    for (const instantMs of SAMPLE_INSTANTS_MS) format(instantMs)
    return format
  } catch (error) {
    throw new ConfigurationError(`Invalid timestamp pattern '${pattern}'`, { cause: error })
  }
}

function zoneOf(timeZone: string): ZoneId {
  if (timeZone === 'UTC') return ZoneId.of('UTC')
  // Loaded when first needed, for it costs a thread 40 MB and 60 ms.
  load('@js-joda/timezone')
  if (!ZoneRulesProvider.getAvailableZoneIds().includes(timeZone)) {
    throw new ConfigurationError(`Invalid time zone '${timeZone}'`)
  }
  return ZoneId.of(timeZone)
}

function formatterOf(pattern: string, localised: boolean): DateTimeFormatter {
  if (!localised) return DateTimeFormatter.ofPattern(pattern)
  // Loaded when first needed, for it costs a thread 100 MB and 150 ms. Extends `ofPattern`.
  const { Locale } = load('@js-joda/locale_en') as typeof English
  return DateTimeFormatter.ofPattern(pattern).withLocale(Locale.US)
}
