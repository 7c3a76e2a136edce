/** The flags of `generate` that say how many records are made when. */
import { constantRate, dailyCurve, ramp, spikes } from '../generator/rate-plan.ts'
import type { RatePlan } from '../generator/rate-plan.ts'
import { textFlag, usageError } from './command.ts'
import type { Invocation, Options } from './command.ts'

export const PLAN_OPTIONS = {
  rate: { type: 'string' },
  duration: { type: 'string' },
  count: { type: 'string' },
  pattern: { type: 'string' },
  'rate-to': { type: 'string' },
  'ramp-over': { type: 'string' },
  'spike-every': { type: 'string' },
  'spike-for': { type: 'string' },
  'spike-factor': { type: 'string' },
  day: { type: 'string' },
} satisfies Options

export const PLAN_HELP = `
  --rate N         records a second; 0.5 is one every two seconds
  --duration D     for how long: 500ms, 30s, 5m, 24h, 7d; without it until ^C
  --count N        end after so many records
  --pattern P      what the rate does; constant by default:
      constant     it is --rate
      ramp         it goes straight from --rate to --rate-to within --ramp-over, by default the duration,
                   and stays there
      spike        it is --rate, but in the last --spike-for (5s) of every --spike-every (60s)
                   --spike-factor (10) times as much
      daily        it follows a cosine from --rate at 04:00 to --rate-to (4 times --rate) at 16:00 and
                   back. The day begins at midnight when the command begins, and takes --day (24h):
                   with --day 1h one hour of the day passes in two and a half minutes`

export interface GeneratePlan {
  readonly plan: RatePlan
  readonly durationMs: number | undefined
  readonly count: number | undefined
  /** How long a simulated day takes; of the daily pattern only. */
  readonly dayMs?: number
}

type Pattern = 'constant' | 'ramp' | 'spike' | 'daily'

const FLAGS_OF: Readonly<Record<Pattern, readonly string[]>> = {
  constant: [],
  ramp: ['rate-to', 'ramp-over'],
  spike: ['spike-every', 'spike-for', 'spike-factor'],
  daily: ['rate-to', 'day'],
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

export function readPlan(invocation: Invocation): GeneratePlan {
  const pattern = textFlag(invocation, 'pattern') ?? 'constant'
  if (!isPattern(pattern)) {
    throw usageError(`Cannot use --pattern ${pattern}: must be ${Object.keys(FLAGS_OF).join(', ')}`)
  }
  refuseFlagsOfOthers(invocation, pattern)
  const rate = numberFlag(invocation, 'rate')
  if (rate === undefined) throw usageError('Cannot run: --rate is missing')
  const durationMs = durationFlag(invocation, 'duration')
  const count = numberFlag(invocation, 'count')
  if (count !== undefined && !Number.isInteger(count)) {
    throw usageError('Cannot use --count: must be a whole number')
  }
  return { durationMs, count, ...planOf(invocation, pattern, rate, durationMs) }
}

function planOf(
  invocation: Invocation,
  pattern: Pattern,
  rate: number,
  durationMs: number | undefined,
): Pick<GeneratePlan, 'plan' | 'dayMs'> {
  const rateTo = numberFlag(invocation, 'rate-to')
  switch (pattern) {
    case 'constant':
      return { plan: constantRate(rate) }
    case 'ramp': {
      const overMs = durationFlag(invocation, 'ramp-over') ?? durationMs
      if (rateTo === undefined) throw usageError('Cannot ramp: --rate-to is missing')
      if (overMs === undefined) throw usageError('Cannot ramp: give --ramp-over, or --duration')
      return { plan: ramp(rate, rateTo, overMs) }
    }
    case 'spike': {
      const everyMs = durationFlag(invocation, 'spike-every') ?? 60_000
      const lengthMs = durationFlag(invocation, 'spike-for') ?? 5_000
      const factor = numberFlag(invocation, 'spike-factor') ?? 10
      if (lengthMs > everyMs) {
        throw usageError('Cannot use --spike-for: must not be longer than --spike-every')
      }
      return { plan: spikes(rate, { everyMs, lengthMs, factor }) }
    }
    case 'daily': {
      const dayMs = durationFlag(invocation, 'day') ?? 86_400_000
      return { plan: dailyCurve(rate, rateTo ?? 4 * rate, dayMs), dayMs }
    }
  }
}

function isPattern(text: string): text is Pattern {
  return Object.hasOwn(FLAGS_OF, text)
}

function refuseFlagsOfOthers(invocation: Invocation, pattern: Pattern): void {
  for (const flag of new Set(Object.values(FLAGS_OF).flat())) {
    if (textFlag(invocation, flag) !== undefined && !FLAGS_OF[pattern].includes(flag)) {
      throw usageError(`Cannot use --${flag}: it means nothing to --pattern ${pattern}`)
    }
  }
}

function numberFlag(invocation: Invocation, name: string): number | undefined {
  const text = textFlag(invocation, name)
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+(?:\.\d+)?$/.test(text) && value > 0) return value
  throw usageError(`Cannot use --${name}: must be a number more than 0`)
}

function durationFlag(invocation: Invocation, name: string): number | undefined {
  const text = textFlag(invocation, name)
  if (text === undefined) return undefined
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  const durationMs = Number(amount) * (UNITS_MS[unit] ?? 0)
  if (durationMs > 0) return durationMs
  throw usageError(`Cannot use --${name}: must be like 500ms, 30s, 5m, 24h or 7d`)
}
