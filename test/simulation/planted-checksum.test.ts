/**
 * A bug that can't be planted at a seam: checksums that are not checked. Here they are all the same,
 * so that every check passes.
 */
import type * as Zlib from 'node:zlib'
import { expect, test, vi } from 'vitest'
import { seedThatShows } from './seed-that-shows.ts'

vi.mock('node:zlib', async (importActual) => ({
  ...(await importActual<typeof Zlib>()),
  crc32: () => 0,
}))

const TEST_MS_MAX = 120_000
/** What passes for a record, or for damage among records that were sound. */
const SYMPTOM = /^nobody sent|has sound records in quarantine/

test(
  'checksums not checked where bits rot: found',
  async () => {
    expect(await seedThatShows(SYMPTOM, { rot: true })).toEqual(expect.any(Number))
  },
  TEST_MS_MAX,
)

test(
  'checksums not checked where writes are torn: found',
  async () => {
    expect(await seedThatShows(SYMPTOM, {})).toEqual(expect.any(Number))
  },
  TEST_MS_MAX,
)
