import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { SqliteCatalog } from '../../src/embedded/sqlite-catalog.ts'
import { catalogContract } from './catalog.ts'
import type { CatalogUnderTest } from './catalog.ts'

catalogContract('sqlite catalog', async () => openIn(await mkdtemp(join(tmpdir(), 'standpipe-'))))

function openIn(directory: string): CatalogUnderTest {
  const catalog = SqliteCatalog.open({ path: join(directory, 'catalog.db'), clock: systemClock })
  return {
    catalog,
    async restart() {
      await catalog.close()
      return openIn(directory)
    },
    async [Symbol.asyncDispose]() {
      await catalog.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
