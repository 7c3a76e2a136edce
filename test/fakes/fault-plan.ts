import type { SeededRandom } from './seeded-random.ts'

/**
 * What a server does to a request. The first group does nothing with the request; the second takes
 * effect and then hides it from the sender.
 */
export type Fault =
  | 'slow-down'
  | 'internal-error'
  | 'reset'
  | 'hang'
  | 'error-after'
  | 'reset-after'
  | 'hang-after'

/** How often each fault happens, from 0 to 1; what is left to 1 goes well. */
export type FaultRates = Readonly<Partial<Record<Fault, number>>>

export const FAULT_FREE: FaultRates = {}
export const OUTAGE: FaultRates = { 'slow-down': 1 }
export const HANGING: FaultRates = { hang: 1 }
export const MISBEHAVING: FaultRates = {
  'slow-down': 0.1,
  'internal-error': 0.1,
  reset: 0.08,
  hang: 0.02,
  'error-after': 0.1,
  'reset-after': 0.08,
  'hang-after': 0.02,
}

/** Draws the fault of one request, or undefined when it is to go well. */
export function drawFault(rates: FaultRates, random: SeededRandom): Fault | undefined {
  let rest = random.next()
  for (const [fault, rate] of Object.entries(rates) as [Fault, number][]) {
    rest -= rate
    if (rest < 0) return fault
  }
  return undefined
}
