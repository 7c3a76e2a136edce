/** More seeds by command: node test/simulation/run.ts --seeds 100000 --from 2001 */
import { expect, test } from 'vitest'
import { report } from './report.ts'
import { simulate } from './world.ts'
import type { SimulationOptions } from './world.ts'

const SEEDS = 2_000
const ROT_SEEDS = 500
const TEST_MS_MAX = 600_000

/** What the first seed that breaks a law has to say; undefined when none does. */
async function firstFailure(
  seeds: number,
  options: Omit<SimulationOptions, 'seed'> = {},
): Promise<string | undefined> {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const outcome = await simulate({ ...options, seed })
    if (outcome.violations.length > 0) return report(outcome)
  }
  return undefined
}

test(
  `the laws hold through ${SEEDS} simulations of crashes and faults`,
  async () => {
    expect(await firstFailure(SEEDS)).toBeUndefined()
  },
  TEST_MS_MAX,
)

test(
  `what rots on disk is in quarantine and in the books, in ${ROT_SEEDS} simulations`,
  async () => {
    expect(await firstFailure(ROT_SEEDS, { rot: true })).toBeUndefined()
  },
  TEST_MS_MAX,
)

test('a seed replays event by event', async () => {
  for (const seed of [1, 2, 3]) {
    const first = await simulate({ seed })
    expect(await simulate({ seed })).toEqual(first)
  }
})

test('no two seeds are the same', async () => {
  const hashes = new Set<string>()
  for (let seed = 1; seed <= 20; seed += 1) hashes.add((await simulate({ seed })).traceHash)
  expect(hashes.size).toBe(20)
})
