/** What sources have is taken over once, whatever the disk and the processes do. */
import { expect, test } from 'vitest'
import { SOURCE_BUGS } from './planted-source-bugs.ts'
import { report } from './report.ts'
import { simulateSources } from './source-world.ts'

const SEEDS = 400
const BUG_SEEDS_MAX = 400
const TEST_MS_MAX = 300_000

test(
  `each record of a source is delivered once, through ${SEEDS} simulations of crashes and faults`,
  async () => {
    let acknowledgedCount = 0
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const outcome = await simulateSources({ seed })
      acknowledgedCount += outcome.acknowledgedCount
      expect(outcome.violations, report(outcome)).toEqual([])
    }
    expect(acknowledgedCount).toBeGreaterThan(10 * SEEDS)
  },
  TEST_MS_MAX,
)

test('a seed replays event by event', async () => {
  for (const seed of [1, 2, 3]) {
    const first = await simulateSources({ seed })
    expect(await simulateSources({ seed })).toEqual(first)
  }
})

// The test of the test.
for (const [name, { bug, symptom }] of Object.entries(SOURCE_BUGS)) {
  test(
    `${name}: found`,
    async () => {
      const isShown = async (seed: number): Promise<boolean> =>
        (await simulateSources({ seed, bug })).violations.some((each) => symptom.test(each))
      let seed = 1
      while (seed <= BUG_SEEDS_MAX && !(await isShown(seed))) seed += 1
      expect(seed).toBeLessThanOrEqual(BUG_SEEDS_MAX)
    },
    TEST_MS_MAX,
  )
}
