import { strict as assert } from 'node:assert'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { ordinalEndOf } from '../batch.ts'
import type { SealedBatch } from '../batch.ts'
import type { BatchContents, BatchReading, KeyRing, StoredChunk } from '../batch-store.ts'
import type { Manifest, OrdinalRange } from '../manifest.ts'
import { encodeManifest } from '../pipeline/manifest-lines.ts'
import type { StagedBatch, StagingWriter } from '../staging.ts'
import { BatchCipher } from './batch-cipher.ts'
import { FOOTER_BYTES } from './batch-file.ts'
import type { ChunkHeader } from './batch-file.ts'
import { BatchPaths } from './batch-paths.ts'
import { readBatchHeader, scanSome } from './batch-scan.ts'
import type { ChunkFrame } from './batch-scan.ts'
import { BatchStaging } from './batch-staging.ts'
import { createAnew, unlinkIfThere, withFile } from './file-operations.ts'
import type { FileSystem, OpenFile } from './file-system.ts'
import { readManifest } from './manifest-file.ts'
import { Quarantine } from './quarantine.ts'
import type { StagedBytes } from './staged-bytes.ts'

export interface BatchFileContentsOptions {
  readonly dataDirectory: string
  readonly fileSystem: FileSystem
  readonly keyRing: KeyRing
  readonly clock: Clock
  readonly logger: Logger
  /** The sum that the store of the same directory reads. */
  readonly stagedBytes: StagedBytes
  /**
   * Bytes that staging leaves free on the file system, so that manifests can still be frozen; 0 when
   * absent. Less than where appends end (RoomLimits), or a full disk would never be emptied.
   */
  readonly stagingFreeBytesMin?: number
}

/**
 * Sealed batches as files: what a worker needs of the store, in its own thread. Holds nothing open
 * between calls.
 */
export class BatchFileContents implements BatchContents {
  readonly #paths: BatchPaths
  readonly #fileSystem: FileSystem
  readonly #keyRing: KeyRing
  readonly #quarantine: Quarantine
  readonly #staging: BatchStaging

  constructor(options: BatchFileContentsOptions) {
    const { dataDirectory, fileSystem, keyRing, clock, logger } = options
    const { stagedBytes, stagingFreeBytesMin: freeBytesMin = 0 } = options
    const paths = new BatchPaths(dataDirectory)
    this.#paths = paths
    this.#fileSystem = fileSystem
    this.#keyRing = keyRing
    this.#quarantine = new Quarantine({ fileSystem, paths, logger })
    this.#staging = new BatchStaging({
      paths,
      fileSystem,
      keyRing,
      clock,
      stagedBytes,
      freeBytesMin,
    })
  }

  read(batch: SealedBatch, range?: OrdinalRange): BatchReading {
    return new BatchFileReading(batch, {
      range: range ?? { from: 0, to: ordinalEndOf(batch) },
      open: () => this.#fileSystem.open(this.#paths.file(batch, 'batch'), 'read'),
      keyRing: this.#keyRing,
      quarantine: this.#quarantine,
    })
  }

  manifest(batch: SealedBatch): Promise<Manifest | undefined> {
    return readManifest(this.#fileSystem, this.#paths.file(batch, 'manifest'), batch.batchId)
  }

  async freeze(batch: SealedBatch, manifest: Manifest): Promise<void> {
    assert.equal(manifest.batchId, batch.batchId, 'a manifest is frozen for its own batch')
    const temporaryPath = this.#paths.file(batch, 'temporary')
    await withFile(createAnew(this.#fileSystem, temporaryPath), async (file) => {
      await file.write([encodeManifest(manifest)], 0)
      await file.datasync()
    })
    await this.#fileSystem.rename(temporaryPath, this.#paths.file(batch, 'manifest'))
    await this.#fileSystem.syncDirectory(this.#paths.stream(batch.streamId))
  }

  async thaw(batch: SealedBatch): Promise<void> {
    await unlinkIfThere(this.#fileSystem, this.#paths.file(batch, 'manifest'))
    await this.#fileSystem.syncDirectory(this.#paths.stream(batch.streamId))
  }

  stage(batch: SealedBatch): Promise<StagingWriter> {
    return this.#staging.stage(batch)
  }

  staged(batch: SealedBatch): Promise<StagedBatch | undefined> {
    return this.#staging.staged(batch)
  }

  unstage(batch: SealedBatch): Promise<void> {
    return this.#staging.unstage(batch)
  }
}

interface ReadingOptions {
  readonly range: OrdinalRange
  readonly open: () => Promise<OpenFile>
  readonly keyRing: KeyRing
  readonly quarantine: Quarantine
}

class BatchFileReading implements BatchReading {
  readonly #batch: SealedBatch
  readonly #options: ReadingOptions
  #quarantinedCount = 0

  constructor(batch: SealedBatch, options: ReadingOptions) {
    this.#batch = batch
    this.#options = options
  }

  get quarantinedCount(): number {
    return this.#quarantinedCount
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StoredChunk> {
    const { batchId, recordCount, storedBytes } = this.#batch
    const file = await this.#options.open()
    try {
      const cipher = await this.#cipher(file)
      let goodCount = 0
      this.#quarantinedCount = 0
      const { from, to } = this.#options.range
      const isWanted = ({ firstOrdinal, recordCount: count }: ChunkHeader): boolean =>
        firstOrdinal < to && firstOrdinal + count > from
      for await (const frame of scanSome(file, batchId, storedBytes - FOOTER_BYTES, isWanted)) {
        if (frame.kind === 'void') continue
        if (frame.kind === 'skipped') {
          goodCount += frame.header.recordCount
          continue
        }
        const chunk = frame.kind === 'chunk' ? openChunk(frame, cipher) : undefined
        if (chunk === undefined) {
          await this.#options.quarantine.keepRange(this.#batch, file, frame)
          this.#quarantinedCount += frame.header?.recordCount ?? 0
        } else {
          goodCount += chunk.recordCount
          yield chunk
        }
      }
      // Counts also what no chunk header tells any more.
      this.#quarantinedCount = recordCount - goodCount
      assert(this.#quarantinedCount >= 0, 'a batch holds no more records than were sealed')
    } finally {
      await file.close()
    }
  }

  /** Undefined for plain batches, and for those whose header, with the key in it, is damaged. */
  async #cipher(file: OpenFile): Promise<BatchCipher | undefined> {
    const { batchId } = this.#batch
    const wrapped = (await readBatchHeader(file, batchId))?.wrappedDataKey
    if (wrapped === undefined) return undefined
    return BatchCipher.forChunks(this.#options.keyRing.unwrap(wrapped), batchId)
  }
}

/** Undefined when the chunk can't be decrypted: its key is lost, or it was tampered with. */
function openChunk(frame: ChunkFrame, cipher: BatchCipher | undefined): StoredChunk | undefined {
  const { kind, firstOrdinal, arrivalMs, recordCount } = frame.header
  const { metadataBytes } = frame.note
  const told = metadataBytes === undefined ? undefined : { metadataBytes }
  const chunk = { firstOrdinal, arrivalMs, recordCount, ...told }
  if (kind === 'plain') return { ...chunk, payload: frame.payload }
  if (cipher === undefined) return undefined
  try {
    return { ...chunk, payload: cipher.decrypt(frame.payload, frame.facts) }
  } catch {
    return undefined
  }
}
