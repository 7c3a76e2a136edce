/**
 * A manifest file (pipeline/manifest-lines.ts) is written under a temporary name, synced and renamed, so
 * that it is there as a whole or not.
 */
import type { BatchId } from '../batch.ts'
import type { Manifest } from '../manifest.ts'
import { decodeManifest } from '../pipeline/manifest-lines.ts'
import { withFileIfThere } from './file-operations.ts'
import type { FileSystem } from './file-system.ts'

/**
 * Undefined when there is no file.
 * @throws ManifestDamaged when the file is not the manifest of `batchId`
 */
export async function readManifest(
  fileSystem: FileSystem,
  path: string,
  batchId: BatchId,
): Promise<Manifest | undefined> {
  return withFileIfThere(fileSystem, path, async (file) => {
    const buffer = Buffer.allocUnsafe(await file.sizeBytes())
    const readBytes = await file.read(buffer, 0)
    return decodeManifest(buffer.subarray(0, readBytes), batchId)
  })
}
