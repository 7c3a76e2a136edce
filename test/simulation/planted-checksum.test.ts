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

test('checksums not checked where bits rot: found', async () => {
  expect(await seedThatShows(/^nobody sent/, { rot: true })).toEqual(expect.any(Number))
})

test('checksums not checked where writes are torn: found', async () => {
  expect(await seedThatShows(/^nobody sent/, {})).toEqual(expect.any(Number))
})
