import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../src/base/logger.ts'
import type { SealedBatch } from '../../src/batch.ts'
import { BatchFiles } from '../../src/embedded/batch-files.ts'
import { nodeFileSystem } from '../../src/embedded/node-file-system.ts'
import { StagedBytes } from '../../src/embedded/staged-bytes.ts'
import { batchEncryptionContract } from './batch-encryption.ts'
import { batchImportContract } from './batch-import.ts'
import { batchPositionsContract } from './batch-positions.ts'
import { batchStagingContract } from './batch-staging.ts'
import { batchStoreContract } from './batch-store.ts'
import type { StoreSetting, StoreUnderTest } from './batch-store.ts'

batchStoreContract('batch files', openNew)
batchEncryptionContract('batch files', openNew)
batchImportContract('batch files', openNew)
batchStagingContract('batch files', openNew)
batchPositionsContract('batch files', openNew)

async function openNew(setting: StoreSetting): Promise<StoreUnderTest> {
  return openIn(await mkdtemp(join(tmpdir(), 'standpipe-store-')), setting)
}

async function openIn(dataDirectory: string, setting: StoreSetting): Promise<StoreUnderTest> {
  const { clock, keyRing, quotaBytes } = setting
  const sealed: SealedBatch[] = []
  const store = await BatchFiles.open({
    dataDirectory,
    fileSystem: nodeFileSystem,
    keyRing,
    clock,
    logger: silentLogger,
    stagedBytes: new StagedBytes(),
    limits: { quotaBytes, freeBytesMin: 0, batchesMax: 1_000 },
    onSealed: (batch) => sealed.push(batch),
  })
  return {
    store,
    keepsOpen: false,
    sealed,
    // Closing seals nothing and writes nothing: it is what a process that dies leaves behind.
    async restart() {
      await store.close()
      return openIn(dataDirectory, setting)
    },
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(dataDirectory, { recursive: true, force: true })
    },
  }
}
