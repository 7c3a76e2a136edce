/** Composition of where `standpipe data export` and `import` work: a backend without its service. */
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { makeDirectories } from '../base/make-directories.ts'
import type { KeyRing } from '../batch-store.ts'
import { BatchFiles } from '../embedded/batch-files.ts'
import { DataLock } from '../embedded/data-lock.ts'
import { LocalKeyRing, NO_KEYS } from '../embedded/local-key-ring.ts'
import { nodeFileSystem } from '../embedded/node-file-system.ts'
import { SqliteCatalogTransfer } from '../embedded/sqlite-catalog-transfer.ts'
import { SqliteCatalog } from '../embedded/sqlite-catalog.ts'
import { StagedBytes } from '../embedded/staged-bytes.ts'
import { BATCHES_MAX } from './embedded-backend.ts'
import type { Settings } from '../settings.ts'
import { CountingLogger } from '../transfer/counting-logger.ts'
import { SealedBatches } from '../transfer/sealed-batches.ts'
import type { TransferPlace } from '../transfer/transfer-place.ts'

export interface TransferPlaceOptions {
  readonly settings: Settings
  /** Work also where a service seems to; of a data directory there is never more than one user. */
  readonly force: boolean
  readonly clock: Clock
  readonly logger: Logger
}

/** With what belongs to both kinds. */
export interface OpeningOptions extends TransferPlaceOptions {
  readonly keyRing: KeyRing
  readonly logger: CountingLogger
}

/**
 * @param resources closes what was opened
 * @throws Error when a service works there, or the place can't be used
 */
export async function openTransferPlace(
  options: TransferPlaceOptions,
  resources: AsyncDisposableStack,
): Promise<TransferPlace> {
  const { settings, clock } = options
  const opening: OpeningOptions = {
    ...options,
    keyRing:
      settings.sseKey === undefined ? NO_KEYS : LocalKeyRing.fromSetting(settings.sseKey, clock),
    logger: new CountingLogger(options.logger),
  }
  if (settings.backend === 'embedded') return openDataDirectory(opening, resources)
  const { openRedisTransferPlace } = await import('./redis-transfer-place.ts')
  return openRedisTransferPlace(opening, resources)
}

async function openDataDirectory(
  { settings, keyRing, clock, logger }: OpeningOptions,
  resources: AsyncDisposableStack,
): Promise<TransferPlace> {
  const { dataDir, diskQuotaBytes, freeBytesMin } = settings
  await makeDirectories(dataDir)
  resources.adopt(DataLock.acquire(dataDir), (held) => held.release())
  const path = join(dataDir, 'catalog.db')
  const catalog = SqliteCatalog.open({ path, clock })
  resources.defer(() => catalog.close())
  const catalogTransfer = new SqliteCatalogTransfer(path)
  resources.defer(() => catalogTransfer.close())
  const sealed = new SealedBatches()
  const store = await BatchFiles.open({
    dataDirectory: dataDir,
    fileSystem: nodeFileSystem,
    keyRing,
    clock,
    logger,
    limits: { quotaBytes: diskQuotaBytes, freeBytesMin, batchesMax: BATCHES_MAX },
    stagedBytes: new StagedBytes(),
    onSealed: (batch) => sealed.add(batch),
  })
  resources.defer(() => store.close())
  return {
    catalog,
    catalogTransfer,
    store,
    keyRing,
    errorCount: () => logger.errorCount,
    takeSealed: (batchId) => sealed.take(batchId),
    // The next start reads it from the stream.
    pause: async () => {},
    // The lock is held.
    refuseService: async () => {},
  }
}
