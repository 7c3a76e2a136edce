/** Composition of the embedded backend: files, SQLite and a queue in memory, all in one data directory. */
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { BatchFiles } from '../embedded/batch-files.ts'
import { LocalLeases } from '../embedded/local-leases.ts'
import { LocalQueue } from '../embedded/local-queue.ts'
import { nodeFileSystem } from '../embedded/node-file-system.ts'
import { SqliteCatalog } from '../embedded/sqlite-catalog.ts'
import { StagedBytes } from '../embedded/staged-bytes.ts'
import { CLAIMS_PER_THREAD } from './opened-backend.ts'
import type { BackendOptions, OpenedBackend } from './opened-backend.ts'
import { enqueueBacklog, enqueueRecovered } from '../pipeline/backlog.ts'
import { LocalLedger } from '../pipeline/ledger.ts'

export const BATCHES_MAX = 200_000

/** The caller holds the lock of the data directory. */
export async function openEmbeddedBackend(
  { settings, keyRing, clock, logger, registry }: BackendOptions,
  resources: AsyncDisposableStack,
): Promise<OpenedBackend> {
  const { dataDir, workers, diskQuotaBytes, freeBytesMin } = settings
  const catalog = openCatalog(join(dataDir, 'catalog.db'), clock)
  resources.defer(() => catalog.close())
  const queue = new LocalQueue({
    clock,
    claimsMax: workers * CLAIMS_PER_THREAD,
    streamClaimsMax: (workers * CLAIMS_PER_THREAD) / 2,
  })
  resources.defer(() => queue.close())
  const stagedBytes = new StagedBytes()
  const store = await BatchFiles.open({
    dataDirectory: dataDir,
    fileSystem: nodeFileSystem,
    keyRing,
    clock,
    logger,
    limits: { quotaBytes: diskQuotaBytes, freeBytesMin, batchesMax: BATCHES_MAX },
    stagedBytes,
    onSealed: (batch) => {
      void ledger.sealed(batch)
      void queue.enqueue(batch)
    },
    onRecovered: (batch) =>
      void enqueueRecovered(batch, {
        store,
        queue,
        catalog,
        ledger,
        registry: registry(),
        logger,
      }),
  })
  resources.defer(() => store.close())
  const ledger = new LocalLedger({ catalog, store, queue, logger })
  return {
    catalog,
    store,
    queue,
    leases: new LocalLeases(),
    ledger,
    contents: {
      kind: 'files',
      dataDirectory: dataDir,
      stagedBytes: stagedBytes.memory,
      stagingFreeBytesMin: Math.floor(freeBytesMin / 2),
    },
    isShared: false,
    recover: enqueueBacklog,
    run: async () => {},
  }
}

function openCatalog(path: string, clock: Clock): SqliteCatalog {
  try {
    return SqliteCatalog.open({ path, clock })
  } catch (error) {
    // SQLite's own errors name no file.
    if (!(error instanceof Error && 'errcode' in error)) throw error
    throw new Error(`Cannot open the catalog ${path}: ${error.message}`, { cause: error })
  }
}
