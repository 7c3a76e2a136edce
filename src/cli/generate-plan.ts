/** The flags of `generate` that say how many records are made when. */
import { constantRate, dailyCurve, ramp, spikes } from '../generator/rate-plan.ts'
import type { RatePlan } from '../generator/rate-plan.ts'
import { integerFlag, textFlag, usageError } from './command.ts'
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

interface Pattern {
  /** The flags that only some patterns take. */
  readonly flags: readonly string[]
  read(
    invocation: Invocation,
    rate: number,
    durationMs: number | undefined,
  ): Pick<GeneratePlan, 'plan' | 'dayMs'>
}

const PATTERNS: Readonly<Record<string, Pattern>> = {
  constant: {
    flags: [],
    read: (_, rate) => ({ plan: constantRate(rate) }),
  },
  ramp: {
    flags: ['rate-to', 'ramp-over'],
    read(invocation, rate, durationMs) {
      const rateTo = numberFlag(invocation, 'rate-to')
      const overMs = durationFlag(invocation, 'ramp-over') ?? durationMs
      if (rateTo === undefined) throw usageError('Cannot ramp: --rate-to is missing')
      if (overMs === undefined) throw usageError('Cannot ramp: give --ramp-over, or --duration')
      return { plan: ramp(rate, rateTo, overMs) }
    },
  },
  spike: {
    flags: ['spike-every', 'spike-for', 'spike-factor'],
    read(invocation, rate) {
      const everyMs = durationFlag(invocation, 'spike-every') ?? 60_000
      const lengthMs = durationFlag(invocation, 'spike-for') ?? 5_000
      const factor = numberFlag(invocation, 'spike-factor') ?? 10
      if (lengthMs > everyMs) {
        throw usageError('Cannot use --spike-for: must not be longer than --spike-every')
      }
      return { plan: spikes(rate, { everyMs, lengthMs, factor }) }
    },
  },
  daily: {
    flags: ['rate-to', 'day'],
    read(invocation, rate) {
      const rateTo = numberFlag(invocation, 'rate-to') ?? 4 * rate
      const dayMs = durationFlag(invocation, 'day') ?? 86_400_000
      return { plan: dailyCurve(rate, rateTo, dayMs), dayMs }
    },
  },
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

export function readPlan(invocation: Invocation): GeneratePlan {
  const pattern = readPattern(invocation)
  const rate = numberFlag(invocation, 'rate')
  if (rate === undefined) throw usageError('Cannot run: --rate is missing')
  const durationMs = durationFlag(invocation, 'duration')
  const count = integerFlag(invocation, 'count')
  return { durationMs, count, ...pattern.read(invocation, rate, durationMs) }
}

function readPattern(invocation: Invocation): Pattern {
  const name = textFlag(invocation, 'pattern') ?? 'constant'
  const pattern = Object.hasOwn(PATTERNS, name) ? PATTERNS[name] : undefined
  if (pattern === undefined) {
    const names = Object.keys(PATTERNS).join(', ')
    throw usageError(`Cannot use --pattern ${name}: must be one of ${names}`)
  }
  for (const flag of Object.values(PATTERNS).flatMap(({ flags }) => flags)) {
    if (textFlag(invocation, flag) !== undefined && !pattern.flags.includes(flag)) {
      throw usageError(`Cannot use --${flag}: it means nothing to --pattern ${name}`)
    }
  }
  return pattern
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
