import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { CHUNK_HEADER_BYTES, chunkSeed, encodeVoid } from './batch-file.ts'
import { BatchPaths } from './batch-paths.ts'
import type { BatchName } from './batch-paths.ts'
import { scanFrames } from './batch-scan.ts'
import { DataLock } from './data-lock.ts'
import { withFile, withFileIfThere } from './file-operations.ts'
import type { FileSystem, OpenFile } from './file-system.ts'
import { isStagedWhole } from './inspect-staged.ts'
import { readManifest } from './manifest-file.ts'
import { Quarantine } from './quarantine.ts'
import { footerBytes } from './recovery.ts'
import { findFiles, streamsWithPositions, startUp } from './start-up.ts'
import { PositionKeeper } from './stream-positions.ts'

export interface RepairOptions {
  readonly dataDirectory: string
  readonly fileSystem: FileSystem
  readonly clock: Clock
  /** Told of each thing that was found and done. */
  readonly logger: Logger
}

export interface RepairReport {
  /** Batches that are now sealed and whole, but for what went to quarantine. */
  readonly batchCount: number
  /** Files that the disk did not let be repaired. */
  readonly failedCount: number
  readonly quarantinedChunkCount: number
  /** A batch whose manifest is gone may be delivered under new names, so twice. */
  readonly quarantinedManifestCount: number
  /** A batch whose staged file is gone goes through its processors once more; its manifest goes, too. */
  readonly quarantinedStagingCount: number
  /** Places where it was lost how far a source is read: what follows may be taken over twice. */
  readonly quarantinedPositionsCount: number
}

/**
 * Does what start-up does, and beyond it takes damage out of the way for good: damaged chunks are
 * copied to quarantine and made void, damaged manifests and staged files moved there, positions written anew
 * without what is damaged. The record count of a footer
 * stays what it was, so that the books say what is missing.
 * @throws when the service runs on the directory
 */
export async function repairData(options: RepairOptions): Promise<RepairReport> {
  const { dataDirectory, fileSystem, clock, logger } = options
  const lock = DataLock.acquire(dataDirectory)
  try {
    const paths = new BatchPaths(dataDirectory)
    const quarantine = new Quarantine({ fileSystem, paths, logger })
    const files = { fileSystem, paths, quarantine, clock, logger }
    const positions = new PositionKeeper(files)
    const context = { ...files, positions }
    await fileSystem.makeDirectory(paths.quarantine)
    const report = { batchCount: 0, failedCount: 0, quarantinedChunkCount: 0 }
    await startUp(context, {
      sealed: () => (report.batchCount += 1),
      staged() {},
      failed: () => (report.failedCount += 1),
    })
    let quarantinedManifestCount = 0
    let quarantinedStagingCount = 0
    const moveAway = async (name: BatchName, path: string): Promise<void> => {
      await quarantine.moveFile(name.streamId, path)
      await fileSystem.syncDirectory(paths.stream(name.streamId))
    }
    for await (const { name, kind } of findFiles(context)) {
      const path = paths.file(name, kind)
      if (kind === 'batch') {
        report.quarantinedChunkCount += await withFile(fileSystem.open(path, 'update'), (file) =>
          voidDamage(file, name, quarantine),
        )
      } else if (kind === 'manifest') {
        // It may have gone with its staged file.
        if (!(await isThere(fileSystem, path))) continue
        if (await isManifest(fileSystem, path, name)) continue
        await moveAway(name, path)
        quarantinedManifestCount += 1
      } else if (kind === 'staged') {
        const opening = fileSystem.open(path, 'read')
        if (await withFile(opening, (file) => isStagedWhole(file, name))) continue
        await moveAway(name, path)
        quarantinedStagingCount += 1
        // Names that were made for what is lost would keep the batch parked.
        const manifestPath = paths.file(name, 'manifest')
        if (!(await isThere(fileSystem, manifestPath))) continue
        await moveAway(name, manifestPath)
        quarantinedManifestCount += 1
      }
    }
    let quarantinedPositionsCount = 0
    for (const streamId of await streamsWithPositions(context)) {
      quarantinedPositionsCount += await positions.of(streamId).mend()
      positions.forget(streamId)
    }
    return {
      ...report,
      quarantinedManifestCount,
      quarantinedStagingCount,
      quarantinedPositionsCount,
    }
  } finally {
    lock.release()
  }
}

/** How many damaged ranges there were. */
async function voidDamage(
  file: OpenFile,
  name: BatchName,
  quarantine: Quarantine,
): Promise<number> {
  let count = 0
  const endOffset = (await file.sizeBytes()) - footerBytes(true)
  for await (const frame of scanFrames(file, name.batchId, endOffset)) {
    const sizeBytes = frame.endOffset - frame.offset
    if (frame.kind !== 'damaged' || sizeBytes < CHUNK_HEADER_BYTES) continue
    await quarantine.keepRange(name, file, frame)
    await file.write([encodeVoid(sizeBytes, chunkSeed(name.batchId))], frame.offset)
    count += 1
  }
  if (count > 0) await file.datasync()
  return count
}

async function isThere(fileSystem: FileSystem, path: string): Promise<boolean> {
  return (await withFileIfThere(fileSystem, path, async () => true)) ?? false
}

async function isManifest(
  fileSystem: FileSystem,
  path: string,
  { batchId }: BatchName,
): Promise<boolean> {
  return readManifest(fileSystem, path, batchId).then(
    (manifest) => manifest !== undefined,
    () => false,
  )
}
