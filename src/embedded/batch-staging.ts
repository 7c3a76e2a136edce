import type { Clock } from '../base/clock.ts'
import type { SealedBatch } from '../batch.ts'
import type { KeyRing } from '../batch-store.ts'
import type { StagedBatch, Staging, StagingWriter } from '../staging.ts'
import { BatchCipher } from './batch-cipher.ts'
import type { BatchPaths } from './batch-paths.ts'
import { readBatchHeader } from './batch-scan.ts'
import { createAnew, unlinkIfThere, withFile, withFileIfThere } from './file-operations.ts'
import { errorCode } from './file-system.ts'
import type { FileSystem, OpenFile } from './file-system.ts'
import { unlinkStaged } from './staged-bytes.ts'
import type { StagedBytes } from './staged-bytes.ts'
import { SALT_BYTES, stagedSeed } from './staged-file.ts'
import type { StagedHeader } from './staged-file.ts'
import { readLayout, StagedFile } from './staged-reader.ts'
import { StagedFileWriter } from './staged-writer.ts'

export interface BatchStagingOptions {
  readonly paths: BatchPaths
  readonly fileSystem: FileSystem
  readonly keyRing: KeyRing
  readonly clock: Clock
  readonly stagedBytes: StagedBytes
  /** Bytes that staging leaves free on the file system, so that manifests can still be frozen. */
  readonly freeBytesMin: number
}

/** Staging in files beside the batch's own. */
export class BatchStaging implements Staging {
  readonly #options: BatchStagingOptions

  constructor(options: BatchStagingOptions) {
    this.#options = options
  }

  async stage(batch: SealedBatch): Promise<StagingWriter> {
    const { paths, fileSystem, clock } = this.#options
    const unfinishedPath = paths.file(batch, 'staging')
    const salt = clock.randomBytes(SALT_BYTES)
    const header = await this.#headerFor(batch, salt)
    const cipher = this.#cipherFor(header)
    return new StagedFileWriter({
      file: await createAnew(fileSystem, unfinishedPath),
      header,
      seed: stagedSeed(batch.batchId, salt),
      cipher,
      checkRoom: (sizeBytes) => this.#checkRoom(sizeBytes),
      publish: (sizeBytes) => this.#publish(batch, sizeBytes),
      remove: async () => void (await unlinkIfThere(fileSystem, unfinishedPath)),
    })
  }

  async staged(batch: SealedBatch): Promise<StagedBatch | undefined> {
    const { paths, fileSystem } = this.#options
    let file: OpenFile
    try {
      file = await fileSystem.open(paths.file(batch, 'staged'), 'read')
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined
      throw error
    }
    try {
      const layout = await readLayout(file, batch.batchId)
      return new StagedFile(file, layout, this.#cipherFor(layout.header))
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async unstage(batch: SealedBatch): Promise<void> {
    const { paths, fileSystem, stagedBytes } = this.#options
    await unlinkStaged(fileSystem, paths.file(batch, 'staged'), stagedBytes)
    await this.#syncDirectory(batch)
  }

  /** Counts what is there, at every moment, rather too much than too little. */
  async #publish(batch: SealedBatch, sizeBytes: number): Promise<void> {
    const { paths, fileSystem, stagedBytes } = this.#options
    const path = paths.file(batch, 'staged')
    const replacedBytes = await withFileIfThere(fileSystem, path, (file) => file.sizeBytes())
    stagedBytes.add(sizeBytes)
    try {
      await fileSystem.rename(paths.file(batch, 'staging'), path)
    } catch (error) {
      stagedBytes.add(-sizeBytes)
      throw error
    }
    stagedBytes.add(-(replacedBytes ?? 0))
    try {
      await this.#syncDirectory(batch)
    } catch (error) {
      // Who hears that this failed stages again, and needs the room.
      await unlinkStaged(fileSystem, path, stagedBytes)
      throw error
    }
  }

  /** Where the header of an encrypted batch is damaged, no chunk can be read that must stay secret. */
  async #headerFor({ batchId, streamId }: SealedBatch, salt: Buffer): Promise<StagedHeader> {
    const { paths, fileSystem } = this.#options
    const path = paths.file({ batchId, streamId }, 'batch')
    const batchHeader = await withFile(fileSystem.open(path, 'read'), (file) =>
      readBatchHeader(file, batchId),
    )
    const wrappedDataKey = batchHeader?.wrappedDataKey
    return {
      batchId,
      streamId,
      salt: salt.toString('hex'),
      ...(wrappedDataKey !== undefined && { wrappedDataKey }),
    }
  }

  #cipherFor({ batchId, salt, wrappedDataKey }: StagedHeader): BatchCipher | undefined {
    if (wrappedDataKey === undefined) return undefined
    const dataKey = this.#options.keyRing.unwrap(wrappedDataKey)
    return BatchCipher.forStaging(dataKey, batchId, Buffer.from(salt, 'hex'))
  }

  async #checkRoom(sizeBytes: number): Promise<void> {
    const { paths, fileSystem, freeBytesMin } = this.#options
    if (freeBytesMin === 0) return
    const freeBytes = await fileSystem.freeBytes(paths.data)
    if (freeBytes - sizeBytes >= freeBytesMin) return
    const message = `ENOSPC: Cannot stage: ${freeBytesMin} bytes are to stay free`
    throw Object.assign(new Error(message), { code: 'ENOSPC' })
  }

  #syncDirectory({ streamId }: SealedBatch): Promise<void> {
    return this.#options.fileSystem.syncDirectory(this.#options.paths.stream(streamId))
  }
}
