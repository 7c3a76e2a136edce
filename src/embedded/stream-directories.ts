import { join } from 'node:path'
import { isPositionsName, parseFileName } from './batch-paths.ts'
import type { BatchFileKind, BatchName, BatchPaths } from './batch-paths.ts'
import { makeDirectories, unlinkIfThere, withFileIfThere } from './file-operations.ts'
import { errorCode } from './file-system.ts'
import type { FileSystem } from './file-system.ts'

/** The streams' directories, made before their first batch and removed when a stream is deleted. */
export class StreamDirectories {
  readonly #fileSystem: FileSystem
  readonly #paths: BatchPaths
  /** Streams whose directory is known to be durable. */
  readonly #made = new Set<string>()

  constructor(fileSystem: FileSystem, paths: BatchPaths) {
    this.#fileSystem = fileSystem
    this.#paths = paths
  }

  /** The directory is there, durably, when this resolves. */
  async make(streamId: string): Promise<void> {
    if (this.#made.has(streamId)) return
    await makeDirectories(this.#fileSystem, this.#paths.stream(streamId))
    this.#made.add(streamId)
  }

  /** Removes the directory with all of ours in it. `onRemoved` is told of each file. */
  async remove(
    streamId: string,
    onRemoved: (name: BatchName, kind: BatchFileKind, sizeBytes: number) => void,
  ): Promise<void> {
    this.#made.delete(streamId)
    const directory = this.#paths.stream(streamId)
    for (const fileName of await this.#fileSystem.list(directory)) {
      if (isPositionsName(fileName)) {
        await unlinkIfThere(this.#fileSystem, join(directory, fileName))
      }
      const parsed = parseFileName(fileName)
      if (parsed === undefined) continue
      const name = { streamId, batchId: parsed.batchId }
      const path = this.#paths.file(name, parsed.kind)
      const sizeBytes = await withFileIfThere(this.#fileSystem, path, (file) => file.sizeBytes())
      const wasThere = await unlinkIfThere(this.#fileSystem, path)
      if (wasThere) onRemoved(name, parsed.kind, sizeBytes ?? 0)
    }
    await this.#removeEmpty(directory)
    await this.#fileSystem.syncDirectory(this.#paths.batches)
  }

  async #removeEmpty(directory: string): Promise<void> {
    try {
      await this.#fileSystem.removeDirectory(directory)
    } catch (error) {
      // Files of somebody else keep it; and a stream that never had records has none.
      if (!['ENOENT', 'ENOTEMPTY'].includes(errorCode(error) ?? '')) throw error
    }
  }
}
