import { report } from './report.ts'
import { simulate } from './world.ts'
import type { SimulationOptions } from './world.ts'

/** What the first seed that breaks a law has to say; undefined when none does. */
export async function firstFailure(
  seeds: number,
  options: Omit<SimulationOptions, 'seed'> = {},
): Promise<string | undefined> {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const outcome = await simulate({ ...options, seed })
    if (outcome.violations.length > 0) return report(outcome)
  }
  return undefined
}
