/**
 * One batch file from birth to seal. Passive: its stream's writer makes one call at a time.
 *
 *   unwritten ─commit▶ open ─commit▶ open ─seal▶ sealed
 *                        └─ a sync fails ─▶ broken ─seal▶ sealed at the last durable byte
 *
 * After a failed sync nobody knows what the disk has of what was written since the one before, and
 * a second sync would say "done" without having done it. So the file is cut back to the last durable
 * byte and takes no more chunks. A write that failed for want of space leaves nothing of the kind:
 * the file is cut back, and goes on when there is room.
 */
import { strict as assert } from 'node:assert'
import type { Logger } from '../base/logger.ts'
import type { BatchId, Chunk, SealedBatch, SealReason } from '../batch.ts'
import { AppendError } from '../batch-store.ts'
import type { AppendTarget } from '../batch-store.ts'
import { chunkDataBytes } from '../chunk.ts'
import { BatchCipher, CIPHER_OVERHEAD_BYTES } from './batch-cipher.ts'
import {
  CHUNK_FACTS_BYTES,
  CHUNK_HEADER_BYTES,
  chunkSeed,
  encodeChunkChecksums,
  encodeChunkFacts,
  encodeFooter,
  encodeHeader,
  HEADER_BYTES,
} from './batch-file.ts'
import type { BatchPaths } from './batch-paths.ts'
import { encodeNote } from './chunk-note.ts'
import { unlinkIfThere } from './file-operations.ts'
import { errorCode } from './file-system.ts'
import type { FileSystem, OpenFile } from './file-system.ts'

const NO_SPACE_CODES = new Set<unknown>(['ENOSPC', 'EDQUOT'])

export interface BatchWriterOptions {
  readonly batchId: BatchId
  readonly target: AppendTarget
  /** `import`: what is not sealed when the process dies is worth nothing. */
  readonly kind: 'open' | 'import'
  readonly bornMs: number
  /** When the batch is due by age, in monotonic ms. */
  readonly dueMs: number
  readonly fileSystem: FileSystem
  readonly paths: BatchPaths
  readonly logger: Logger
  /** What must be durable before the file has its final name, once all that is in it is. */
  readonly beforeRename: () => Promise<void>
}

export class BatchWriter {
  readonly batchId: BatchId
  readonly streamId: string
  readonly sizeBytesMax: number
  readonly dueMs: number
  readonly wrappedDataKey: string | undefined
  readonly #options: BatchWriterOptions
  readonly #file: OpenFile
  readonly #seed: number
  readonly #cipher: BatchCipher | undefined
  /** Nothing at all is durable before the first commit, not even the file's name. */
  #durableBytes = 0
  #recordCount = 0
  #dataBytes = 0
  #firstArrivalMs = Infinity
  #lastArrivalMs = -Infinity
  #broken = false
  #doubtful = false
  #footer: Omit<SealedBatch, 'storedBytes'> | undefined
  #closed = false
  #renamed = false

  private constructor(options: BatchWriterOptions, file: OpenFile) {
    const { batchId, target } = options
    this.batchId = batchId
    this.streamId = target.streamId
    this.sizeBytesMax = target.sizeBytesMax
    this.dueMs = options.dueMs
    this.wrappedDataKey = target.dataKey?.wrapped
    this.#options = options
    this.#file = file
    this.#seed = chunkSeed(batchId)
    this.#cipher =
      target.dataKey === undefined
        ? undefined
        : BatchCipher.forChunks(target.dataKey.plain, batchId)
  }

  /** @throws AppendError */
  static async create(options: BatchWriterOptions): Promise<BatchWriter> {
    const { fileSystem, paths, target, batchId, kind } = options
    const path = paths.file({ streamId: target.streamId, batchId }, kind)
    try {
      return new BatchWriter(options, await fileSystem.open(path, 'create'))
    } catch (error) {
      throw appendError(error)
    }
  }

  get recordCount(): number {
    return this.#recordCount
  }

  get dataBytes(): number {
    return this.#dataBytes
  }

  get firstArrivalMs(): number {
    return this.#firstArrivalMs
  }

  /** What is durable, and stays. */
  get storedBytes(): number {
    return this.#durableBytes
  }

  /** Takes no more chunks. */
  get broken(): boolean {
    return this.#broken
  }

  /** What failed could not be cut off: after a crash it may be found in the file. */
  get doubtful(): boolean {
    return this.#doubtful
  }

  /**
   * Writes the chunks with one write and one sync. When it fails, none of them is in the batch.
   * @throws AppendError
   */
  async commit(chunks: readonly Chunk[]): Promise<void> {
    assert(!this.#broken && this.#footer === undefined, 'only an open batch takes chunks')
    const buffers = this.#encode(chunks)
    await this.#write(buffers)
    await this.#sync()
    this.#durableBytes += sumBytes(buffers)
    for (const chunk of chunks) {
      this.#recordCount += chunk.recordCount
      this.#dataBytes += chunkDataBytes(chunk)
      this.#firstArrivalMs = Math.min(this.#firstArrivalMs, chunk.arrivalMs)
      this.#lastArrivalMs = Math.max(this.#lastArrivalMs, chunk.arrivalMs)
    }
  }

  /**
   * Writes the footer and gives the file its final name. May be called again when it has failed: it
   * takes up where it stopped. A rename whose directory sync failed may come undone in a crash;
   * recovery then seals the same batch once more.
   */
  async seal(reason: SealReason, sealedAtMs: number): Promise<SealedBatch> {
    assert(this.#recordCount > 0, 'an empty batch is never sealed')
    const { fileSystem, paths, kind } = this.#options
    this.#footer ??= this.#makeFooter(reason, sealedAtMs)
    const footer = encodeFooter(this.#footer)
    if (!this.#closed) {
      // What failed is behind the durable bytes only if it could not be cut back.
      if (this.#broken) await this.#file.truncate(this.#durableBytes)
      await this.#file.write([footer], this.#durableBytes)
      await this.#file.datasync()
      this.#doubtful = false
      await this.#close()
    }
    if (!this.#renamed) {
      await this.#options.beforeRename()
      await fileSystem.rename(paths.file(this, kind), paths.file(this, 'batch'))
      this.#renamed = true
    }
    await fileSystem.syncDirectory(paths.stream(this.streamId))
    return { ...this.#footer, storedBytes: this.#durableBytes + footer.byteLength }
  }

  /** Removes the file, of which nothing is wanted. May be called again when it has failed. */
  async abandon(): Promise<void> {
    const { fileSystem, paths, kind, logger } = this.#options
    try {
      await this.#close()
      await unlinkIfThere(fileSystem, paths.file(this, this.#renamed ? 'batch' : kind))
      if (this.#doubtful) await fileSystem.syncDirectory(paths.stream(this.streamId))
      this.#doubtful = false
    } catch (error) {
      logger.warn({ batchId: this.batchId, error }, 'A batch file that is not wanted stays.')
    }
  }

  /** Lets go of the file as it is; the next start recovers it. */
  async close(): Promise<void> {
    await this.#close()
  }

  #encode(chunks: readonly Chunk[]): Buffer[] {
    const buffers: Buffer[] = []
    if (this.#durableBytes === 0) buffers.push(this.#header())
    const groupOffset = Math.max(this.#durableBytes, HEADER_BYTES)
    const headers = Buffer.allocUnsafe(chunks.length * CHUNK_HEADER_BYTES)
    const overheadBytes = this.#cipher === undefined ? 0 : CIPHER_OVERHEAD_BYTES
    let firstOrdinal = this.#recordCount
    for (const [index, chunk] of chunks.entries()) {
      const headerAt = index * CHUNK_HEADER_BYTES
      const header = headers.subarray(headerAt, headerAt + CHUNK_HEADER_BYTES)
      const note = encodeNote(chunk)
      encodeChunkFacts(header, {
        kind: this.#cipher === undefined ? 'plain' : 'encrypted',
        noted: note !== undefined,
        payloadBytes: (note?.byteLength ?? 0) + overheadBytes + chunk.payload.byteLength,
        firstOrdinal,
        recordCount: chunk.recordCount,
        arrivalMs: chunk.arrivalMs,
        groupOffset,
      })
      const facts = header.subarray(0, CHUNK_FACTS_BYTES)
      const associated = note === undefined ? facts : Buffer.concat([facts, note])
      const payload = this.#cipher?.encrypt(chunk.payload, associated) ?? chunk.payload
      const stored = note === undefined ? [payload] : [note, payload]
      encodeChunkChecksums(header, stored, this.#seed)
      buffers.push(header, ...stored)
      firstOrdinal += chunk.recordCount
    }
    return buffers
  }

  #header(): Buffer {
    const { batchId, streamId, wrappedDataKey } = this
    const { bornMs } = this.#options
    const plain = { batchId, streamId, bornMs }
    return encodeHeader(wrappedDataKey === undefined ? plain : { ...plain, wrappedDataKey })
  }

  async #write(buffers: readonly Buffer[]): Promise<void> {
    try {
      await this.#file.write(buffers, this.#durableBytes)
    } catch (error) {
      this.#broken = !NO_SPACE_CODES.has(errorCode(error))
      await this.#cutBack()
      throw appendError(error)
    }
  }

  /** The first commit also makes the file's name durable. */
  async #sync(): Promise<void> {
    const { fileSystem, paths } = this.#options
    try {
      await this.#file.datasync()
      if (this.#durableBytes === 0) await fileSystem.syncDirectory(paths.stream(this.streamId))
    } catch (error) {
      this.#broken = true
      await this.#cutBack()
      throw appendError(error)
    }
  }

  /** Makes sure, before anybody is told of a failure, that what failed won't turn up after a crash. */
  async #cutBack(): Promise<void> {
    try {
      await this.#file.truncate(this.#durableBytes)
      await this.#file.datasync()
    } catch (error) {
      this.#broken = true
      this.#doubtful = true
      const { batchId, streamId } = this
      this.#options.logger.warn({ batchId, streamId, error }, 'A batch file could not be cut back.')
    }
  }

  #makeFooter(sealReason: SealReason, sealedAtMs: number): Omit<SealedBatch, 'storedBytes'> {
    return {
      batchId: this.batchId,
      streamId: this.streamId,
      recordCount: this.#recordCount,
      dataBytes: this.#dataBytes,
      firstArrivalMs: this.#firstArrivalMs,
      lastArrivalMs: this.#lastArrivalMs,
      sealedAtMs,
      sealReason,
    }
  }

  async #close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#file.close()
  }
}

function sumBytes(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0)
}

/** What a failure of the disk means to a client. */
export function appendError(cause: unknown): AppendError {
  const code = errorCode(cause) ?? 'unknown error'
  return NO_SPACE_CODES.has(code)
    ? new AppendError('full', `Cannot append: the disk is full (${code})`, { cause })
    : new AppendError('failed', `Cannot append: the disk failed (${code})`, { cause })
}
