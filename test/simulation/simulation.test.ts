/** More seeds by command: node test/simulation/run.ts --seeds 100000 --from 2001 */
import { expect, test } from 'vitest'
import { firstFailure } from './first-failure.ts'
import { simulate } from './world.ts'

const SEEDS = 2_000
const TEST_MS_MAX = 600_000

test(
  `the laws hold through ${SEEDS} simulations of crashes and faults`,
  async () => {
    expect(await firstFailure(SEEDS)).toBeUndefined()
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
