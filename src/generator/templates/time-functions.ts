import type { Clock } from '../../base/clock.ts'
import type { Json } from '../../base/json.ts'
import { compileDateFormat } from './moment-format.ts'
import type { TemplateFunction } from './template-functions.ts'

/** The clocks a template reads, in ms since the epoch. */
export interface TemplateTime {
  nowMs(): number
  /** As --day runs: the time of the day that the daily curve is at. */
  simulatedMs(): number
}

const DAY_MS = 86_400_000

/** @param dayMs how long a simulated day takes, which begins at midnight now; by default time is not simulated */
export function templateTime(clock: Clock, dayMs?: number): TemplateTime {
  const nowMs = (): number => clock.nowMs()
  if (dayMs === undefined) return { nowMs, simulatedMs: nowMs }
  const startMs = clock.monotonicMs()
  const midnightMs = Math.floor(clock.nowMs() / DAY_MS) * DAY_MS
  const speed = DAY_MS / dayMs
  return {
    nowMs,
    simulatedMs: () => Math.floor(midnightMs + (clock.monotonicMs() - startMs) * speed),
  }
}

/** What Moment writes when it is told no format. */
const LOCAL = 'YYYY-MM-DDTHH:mm:ssZ'
const UTC = 'YYYY-MM-DDTHH:mm:ss[Z]'

/** `date.now` in the zone of this machine, `date.utc` in UTC, `date.simTime` as --day runs, in UTC. */
export function timeFunctions(time: TemplateTime): Readonly<Record<string, TemplateFunction>> {
  return {
    'date.now': (format = LOCAL) => formatted(format, false, () => time.nowMs()),
    'date.utc': (format = UTC) => formatted(format, true, () => time.nowMs()),
    'date.simTime': (format = UTC) => formatted(format, true, () => time.simulatedMs()),
  }
}

function formatted(format: Json, isUtc: boolean, timeMs: () => number): () => string {
  if (typeof format !== 'string') throw new TypeError('the parameter must be a format, in quotes')
  const write = compileDateFormat(format)
  return () => write(timeMs(), isUtc)
}
