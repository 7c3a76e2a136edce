import { crc32 } from 'node:zlib'
import { StagingActs } from '../pipeline/staging-acts.ts'
import type { StagingWriter } from '../staging.ts'
import type { BatchCipher } from './batch-cipher.ts'
import type { OpenFile } from './file-system.ts'
import { BlockTable, encodeStagedHeader, encodeTrailer, placeOf } from './staged-file.ts'
import type { StagedHeader } from './staged-file.ts'

/** Small blocks are gathered into writes of this size. */
const BUFFER_BYTES = 512 * 1024

export interface StagedFileWriterOptions {
  /** Empty; the writer closes it. */
  readonly file: OpenFile
  readonly header: StagedHeader
  /** What checksums begin from. */
  readonly seed: number
  /** Absent: the batch is not encrypted. */
  readonly cipher: BatchCipher | undefined
  /** Rejects when the file may not grow by so many bytes. */
  readonly checkRoom: (sizeBytes: number) => Promise<void>
  /** Gives the file, which is synced, its final name, durably; or it is there under neither name. */
  readonly publish: (sizeBytes: number) => Promise<void>
  /** Removes what is left of a file that isn't finished. */
  readonly remove: () => Promise<void>
}

/**
 * Writes one staged file (staged-file.ts). What fails once has failed: the file is removed at once,
 * so that its room is free again.
 */
export class StagedFileWriter implements StagingWriter {
  readonly #options: StagedFileWriterOptions
  readonly #table = new BlockTable()
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #bufferedBytes: number
  /** Where the buffer begins in the file. */
  #offset = 0
  readonly #acts = new StagingActs(() => this.#remove())

  constructor(options: StagedFileWriterOptions) {
    this.#options = options
    this.#bufferedBytes = encodeStagedHeader(options.header).copy(this.#buffer)
  }

  async write(block: Uint8Array): Promise<number> {
    return this.#acts.write(async () => {
      const offset = this.#offset + this.#bufferedBytes
      const stored = this.#seal(block, this.#table.count)
      const checksum = crc32(stored, this.#options.seed)
      await this.#append(stored)
      return this.#table.add({ offset, sizeBytes: stored.byteLength, checksum })
    })
  }

  async finish(index: Uint8Array): Promise<void> {
    const { file, seed, publish } = this.#options
    await this.#acts.finish(async () => {
      const stored = this.#seal(index, 'index')
      const trailer = {
        indexOffset: this.#offset + this.#bufferedBytes,
        indexBytes: stored.byteLength,
        blockCount: this.#table.count,
        indexChecksum: crc32(stored, seed),
        tableChecksum: crc32(this.#table.bytes, seed),
      }
      for (const part of [stored, this.#table.bytes, encodeTrailer(trailer, seed)]) {
        await this.#append(part)
      }
      await this.#flush()
      await file.datasync()
      await publish(this.#offset)
    })
    await file.close()
  }

  abandon(): Promise<void> {
    return this.#acts.abandon()
  }

  async #remove(): Promise<void> {
    try {
      await this.#options.file.close()
    } finally {
      await this.#options.remove()
    }
  }

  #seal(part: Uint8Array, place: number | 'index'): Buffer {
    const plain = Buffer.from(part.buffer, part.byteOffset, part.byteLength)
    return this.#options.cipher?.encrypt(plain, placeOf(place)) ?? plain
  }

  async #append(bytes: Buffer): Promise<void> {
    if (this.#bufferedBytes + bytes.byteLength > BUFFER_BYTES) {
      const isLarge = bytes.byteLength >= BUFFER_BYTES
      await this.#flush(isLarge ? bytes : undefined)
      if (isLarge) return
    }
    this.#bufferedBytes += bytes.copy(this.#buffer, this.#bufferedBytes)
  }

  /** Writes what is buffered, and `more` behind it. */
  async #flush(more?: Buffer): Promise<void> {
    const buffered = this.#buffer.subarray(0, this.#bufferedBytes)
    const parts = more === undefined ? [buffered] : [buffered, more]
    const sizeBytes = buffered.byteLength + (more?.byteLength ?? 0)
    await this.#options.checkRoom(sizeBytes)
    await this.#options.file.write(parts, this.#offset)
    this.#offset += sizeBytes
    this.#bufferedBytes = 0
  }
}
