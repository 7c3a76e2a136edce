/**
 * How many records are to have been made by when. A plan is a function of the time since the start and
 * of nothing else: whoever asks it again and again makes neither more nor fewer in the end, however
 * unevenly it asks.
 */

/** Records due since the start, with fractions: the integral of a rate, which is in records a second. */
export type RatePlan = (elapsedMs: number) => number

export function constantRate(rate: number): RatePlan {
  return (elapsedMs) => (rate * elapsedMs) / 1000
}

/** Straight from one rate to the other, and then at the other. */
export function ramp(fromRate: number, toRate: number, overMs: number): RatePlan {
  const slope = (toRate - fromRate) / overMs
  return (elapsedMs) => {
    const rampMs = Math.min(elapsedMs, overMs)
    return (fromRate * rampMs + (slope * rampMs ** 2) / 2 + toRate * (elapsedMs - rampMs)) / 1000
  }
}

export interface Spikes {
  readonly everyMs: number
  readonly lengthMs: number
  readonly factor: number
}

/** The last `lengthMs` of every `everyMs` have the rate times `factor`. */
export function spikes(rate: number, { everyMs, lengthMs, factor }: Spikes): RatePlan {
  const calmMs = everyMs - lengthMs
  const spikeMsAt = (elapsedMs: number): number =>
    Math.floor(elapsedMs / everyMs) * lengthMs + Math.max(0, (elapsedMs % everyMs) - calmMs)
  return (elapsedMs) => (rate * (elapsedMs + (factor - 1) * spikeMsAt(elapsedMs))) / 1000
}

/** When the night is deepest, as a part of the day: four in the morning. */
const NIGHT = 4 / 24

/** A cosine from `nightRate` at 04:00 to `dayRate` at 16:00 and back; it starts at midnight. */
export function dailyCurve(nightRate: number, dayRate: number, dayMs: number): RatePlan {
  const mean = (nightRate + dayRate) / 2
  const swing = (dayRate - nightRate) / 2
  const angleAt = (elapsedMs: number): number => 2 * Math.PI * (elapsedMs / dayMs - NIGHT)
  return (elapsedMs) => {
    const wave = Math.sin(angleAt(elapsedMs)) - Math.sin(angleAt(0))
    return (mean * elapsedMs - (swing * dayMs * wave) / (2 * Math.PI)) / 1000
  }
}
