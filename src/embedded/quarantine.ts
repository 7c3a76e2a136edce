import { basename, join } from 'node:path'
import type { Logger } from '../base/logger.ts'
import type { BatchName, BatchPaths } from './batch-paths.ts'
import type { FrameRange } from './batch-scan.ts'
import { withFile } from './file-operations.ts'
import { errorCode } from './file-system.ts'
import type { FileSystem, OpenFile } from './file-system.ts'

const COPY_BYTES = 1024 * 1024

export interface QuarantineOptions {
  readonly fileSystem: FileSystem
  readonly paths: BatchPaths
  readonly logger: Logger
}

/** Where damaged data is kept for a human to look at; never read again by the service. */
export class Quarantine {
  readonly #fileSystem: FileSystem
  readonly #paths: BatchPaths
  readonly #logger: Logger

  constructor({ fileSystem, paths, logger }: QuarantineOptions) {
    this.#fileSystem = fileSystem
    this.#paths = paths
    this.#logger = logger
  }

  /** How many chunks and files lie in quarantine. */
  async count(): Promise<number> {
    const names = await this.#fileSystem.list(this.#paths.quarantine)
    return names.length
  }

  /**
   * Copies a damaged range of a batch file. A range that is there already is left as it is, so that
   * a batch which is read again counts once. Failing to copy is reported and not in the way.
   */
  async keepRange(batch: BatchName, file: OpenFile, range: FrameRange): Promise<void> {
    const { streamId, batchId } = batch
    const { offset, endOffset } = range
    const path = this.#pathOf(`${streamId}-${batchId}-${offset}.damaged-chunk`)
    if (!(await this.#keep(file, range, path))) return
    this.#logger.error(
      { streamId, batchId, offset, endOffset, path },
      'A chunk is damaged on disk and was copied to quarantine.',
    )
  }

  /** Copies damaged lines of a positions' file; otherwise as `keepRange`. */
  async keepPositions(
    streamId: string,
    from: string,
    ranges: readonly FrameRange[],
  ): Promise<void> {
    await withFile(this.#fileSystem.open(from, 'read'), async (file) => {
      for (const range of ranges) {
        const path = this.#pathOf(`${streamId}-${range.offset}.damaged-positions`)
        await this.#keep(file, range, path)
      }
    })
  }

  /** Moves a file that nothing can be read from. */
  async moveFile(streamId: string, path: string): Promise<void> {
    const to = this.#pathOf(`${streamId}-${basename(path)}`)
    await this.#fileSystem.rename(path, to)
    await this.#fileSystem.syncDirectory(this.#paths.quarantine)
    this.#logger.error({ path, to }, 'A batch file is damaged on disk and was moved to quarantine.')
  }

  #pathOf(name: string): string {
    return join(this.#paths.quarantine, name)
  }

  /** Whether it was copied now. */
  async #keep(file: OpenFile, range: FrameRange, path: string): Promise<boolean> {
    try {
      await this.#copy(file, range, path)
      return true
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') {
        this.#logger.error({ path, error }, 'What is damaged could not be copied to quarantine.')
      }
      return false
    }
  }

  async #copy(file: OpenFile, { offset, endOffset }: FrameRange, path: string): Promise<void> {
    await withFile(this.#fileSystem.open(path, 'create'), async (copy) => {
      for (let at = offset; at < endOffset; at += COPY_BYTES) {
        const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, endOffset - at))
        const readBytes = await file.read(buffer, at)
        await copy.write([buffer.subarray(0, readBytes)], at - offset)
      }
      await copy.datasync()
    })
    await this.#fileSystem.syncDirectory(this.#paths.quarantine)
  }
}
