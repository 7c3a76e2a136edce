/** The test of the test: the simulation finds bugs that are planted, each within a few seeds. */
import { expect, test } from 'vitest'
import { PLANTED_BUGS } from './planted-bugs.ts'
import { seedThatShows } from './seed-that-shows.ts'

const TEST_MS_MAX = 120_000

for (const [name, { bug, symptom }] of Object.entries(PLANTED_BUGS)) {
  test(
    `${name}: found`,
    async () => {
      expect(await seedThatShows(symptom, { bug })).toEqual(expect.any(Number))
    },
    TEST_MS_MAX,
  )
}
