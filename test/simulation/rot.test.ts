/** More seeds by command: node test/simulation/run.ts --rot --seeds 100000 --from 501 */
import { expect, test } from 'vitest'
import { firstFailure } from './first-failure.ts'

const ROT_SEEDS = 500
const TEST_MS_MAX = 600_000

test(
  `what rots on disk is in quarantine and in the books, in ${ROT_SEEDS} simulations`,
  async () => {
    expect(await firstFailure(ROT_SEEDS, { rot: true })).toBeUndefined()
  },
  TEST_MS_MAX,
)
