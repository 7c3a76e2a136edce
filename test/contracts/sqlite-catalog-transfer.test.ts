import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { SqliteCatalogTransfer } from '../../src/embedded/sqlite-catalog-transfer.ts'
import { SqliteCatalog } from '../../src/embedded/sqlite-catalog.ts'
import { catalogTransferContract } from './catalog-transfer.ts'

catalogTransferContract('sqlite catalog transfer', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'standpipe-'))
  const path = join(directory, 'catalog.db')
  const catalog = SqliteCatalog.open({ path, clock: systemClock })
  const transfer = new SqliteCatalogTransfer(path)
  return {
    catalog,
    transfer,
    async [Symbol.asyncDispose]() {
      transfer.close()
      await catalog.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
})
