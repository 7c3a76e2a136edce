import { strict as assert } from 'node:assert'
import type { Logger } from '../base/logger.ts'
import { ordinalEndOf } from '../batch.ts'
import type { SealedBatch } from '../batch.ts'
import type { BatchContents, BatchReading, KeyRing, StoredChunk } from '../batch-store.ts'
import type { Manifest, OrdinalRange } from '../manifest.ts'
import { BatchCipher } from './batch-cipher.ts'
import { CHUNK_FACTS_BYTES, decodeHeader, FOOTER_BYTES, HEADER_BYTES } from './batch-file.ts'
import type { ChunkHeader } from './batch-file.ts'
import { BatchPaths } from './batch-paths.ts'
import { scanSome } from './batch-scan.ts'
import type { ChunkFrame } from './batch-scan.ts'
import { unlinkIfThere, withFile } from './file-operations.ts'
import { errorCode } from './file-system.ts'
import type { FileSystem, OpenFile } from './file-system.ts'
import { encodeManifest, readManifest } from './manifest-file.ts'
import { Quarantine } from './quarantine.ts'

export interface BatchFileContentsOptions {
  readonly dataDirectory: string
  readonly fileSystem: FileSystem
  readonly keyRing: KeyRing
  readonly logger: Logger
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

  constructor({ dataDirectory, fileSystem, keyRing, logger }: BatchFileContentsOptions) {
    this.#paths = new BatchPaths(dataDirectory)
    this.#fileSystem = fileSystem
    this.#keyRing = keyRing
    this.#quarantine = new Quarantine({ fileSystem, paths: this.#paths, logger })
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
    await withFile(this.#createAnew(temporaryPath), async (file) => {
      await file.write([encodeManifest(manifest)], 0)
      await file.datasync()
    })
    await this.#fileSystem.rename(temporaryPath, this.#paths.file(batch, 'manifest'))
    await this.#fileSystem.syncDirectory(this.#paths.stream(batch.streamId))
  }

  /** In the place of one that was left behind by a failed attempt, if need be. */
  async #createAnew(path: string): Promise<OpenFile> {
    try {
      return await this.#fileSystem.open(path, 'create')
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
      await unlinkIfThere(this.#fileSystem, path)
      return this.#fileSystem.open(path, 'create')
    }
  }

  async thaw(batch: SealedBatch): Promise<void> {
    await unlinkIfThere(this.#fileSystem, this.#paths.file(batch, 'manifest'))
    await this.#fileSystem.syncDirectory(this.#paths.stream(batch.streamId))
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
    const bytes = Buffer.allocUnsafe(HEADER_BYTES)
    const readBytes = await file.read(bytes, 0)
    const wrapped = decodeHeader(bytes.subarray(0, readBytes), batchId)?.wrappedDataKey
    if (wrapped === undefined) return undefined
    return new BatchCipher(this.#options.keyRing.unwrap(wrapped), batchId)
  }
}

/** Undefined when the chunk can't be decrypted: its key is lost, or it was tampered with. */
function openChunk(frame: ChunkFrame, cipher: BatchCipher | undefined): StoredChunk | undefined {
  const { kind, firstOrdinal, arrivalMs, recordCount } = frame.header
  if (kind === 'plain') return { firstOrdinal, arrivalMs, recordCount, payload: frame.payload }
  if (cipher === undefined) return undefined
  try {
    const facts = frame.headerBytes.subarray(0, CHUNK_FACTS_BYTES)
    return { firstOrdinal, arrivalMs, recordCount, payload: cipher.decrypt(frame.payload, facts) }
  } catch {
    return undefined
  }
}
