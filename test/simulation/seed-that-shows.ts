import { simulate } from './world.ts'
import type { SimulationOptions } from './world.ts'

const SEEDS_MAX = 600

/** The first seed in which the oracle speaks of the symptom; undefined when that is none of 600. */
export async function seedThatShows(
  symptom: RegExp,
  options: Omit<SimulationOptions, 'seed'>,
): Promise<number | undefined> {
  for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
    const { violations } = await simulate({ ...options, seed })
    if (violations.some((violation) => symptom.test(violation))) return seed
  }
  return undefined
}
