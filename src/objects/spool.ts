/**
 * Where an output's bytes wait to be sent: in memory up to a limit, beyond it in a temporary file
 * that nothing outlives. Under server-side encryption the file is AES-256-CTR under a key that is
 * drawn for this one file and never leaves memory, with a counter that starts at 0.
 *
 *   file:  <directory>/<32 hex digits>.spool, the bytes from the first to the last
 */
import { strict as assert } from 'node:assert'
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto'
import type { Cipheriv } from 'node:crypto'
import { open, readdir, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { BufferPool } from '../base/buffer-pool.ts'
import type { Clock } from '../base/clock.ts'
import { makeDirectories } from '../base/make-directories.ts'
import type { OpenedSpool, OutputContent } from '../destination.ts'

const MEMORY_BYTES_MAX = 4 * 1024 * 1024
const FIRST_BUFFER_BYTES = 64 * 1024
const FILE_EXTENSION = '.spool'
const CIPHER = 'aes-256-ctr'
const CIPHER_BLOCK_BYTES = 16

export interface SpoolOptions {
  /** Made when the first spool outgrows its memory. */
  readonly directory: string
  readonly clock: Clock
  /** Where memory comes from, and goes back to on disposal. */
  readonly buffers: BufferPool
  /** The stream's records must not lie on a disk in plain. */
  readonly encrypt: boolean
  /** Default 4 MiB. */
  readonly memoryBytesMax?: number
}

/**
 * Writes copy what they are given. They reject with the file system's error, e.g. ENOSPC; the spool
 * is of no use then but still has to be disposed of.
 */
export function openSpool(options: SpoolOptions): OpenedSpool {
  return new BufferedSpool(options)
}

/** Removes what a process that died has left behind. Only for start-up: nobody may be spooling. */
export async function sweepSpools(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  for (const name of names) {
    if (name.endsWith(FILE_EXTENSION)) await rm(join(directory, name), { force: true })
  }
}

/** Fills a buffer that grows up to the limit; from then on empties it into the file when full. */
class BufferedSpool implements OpenedSpool {
  readonly #options: SpoolOptions
  readonly #memoryBytesMax: number
  readonly #hash = createHash('sha256')
  #buffer: Buffer = Buffer.alloc(0)
  #filledBytes = 0
  #file: SpoolFile | undefined
  #finished = false

  constructor(options: SpoolOptions) {
    this.#options = options
    this.#memoryBytesMax = options.memoryBytesMax ?? MEMORY_BYTES_MAX
  }

  async write(bytes: Uint8Array): Promise<void> {
    assert(!this.#finished, 'a finished spool takes no more')
    let rest = bytes
    while (rest.byteLength > 0) {
      this.#makeRoom(rest.byteLength)
      const fitting = rest.subarray(0, this.#buffer.byteLength - this.#filledBytes)
      this.#buffer.set(fitting, this.#filledBytes)
      this.#filledBytes += fitting.byteLength
      rest = rest.subarray(fitting.byteLength)
      if (rest.byteLength > 0) await this.#spill()
    }
  }

  async finish(): Promise<OutputContent> {
    assert(!this.#finished, 'a spool is finished once')
    if (this.#file === undefined) {
      this.#finished = true
      const bytes = this.#buffer.subarray(0, this.#filledBytes)
      const sha256 = this.#hash.update(bytes).digest('hex')
      return memoryContent(bytes, sha256, this.#options.buffers)
    }
    await this.#spill()
    this.#finished = true
    this.#options.buffers.give(this.#buffer)
    return fileContent(this.#file, this.#hash.digest('hex'))
  }

  async dispose(): Promise<void> {
    if (this.#finished) return
    this.#finished = true
    this.#options.buffers.give(this.#buffer)
    await this.#file?.remove()
  }

  #makeRoom(wantedBytes: number): void {
    const neededBytes = Math.min(this.#filledBytes + wantedBytes, this.#memoryBytesMax)
    if (neededBytes <= this.#buffer.byteLength) return
    const doubledBytes = Math.max(this.#buffer.byteLength * 2, FIRST_BUFFER_BYTES, neededBytes)
    const { buffers } = this.#options
    const grown = buffers.take(Math.min(doubledBytes, this.#memoryBytesMax))
    grown.set(this.#buffer.subarray(0, this.#filledBytes))
    buffers.give(this.#buffer)
    this.#buffer = grown
  }

  async #spill(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#filledBytes)
    this.#hash.update(bytes)
    this.#file ??= await SpoolFile.create(this.#options)
    await this.#file.append(bytes)
    this.#filledBytes = 0
  }
}

function memoryContent(bytes: Buffer, sha256: string, buffers: BufferPool): OutputContent {
  let held: Buffer = bytes
  return {
    sizeBytes: bytes.byteLength,
    sha256,
    read(start, end) {
      assert(0 <= start && start <= end && end <= held.byteLength, 'range outside of the content')
      return Promise.resolve(held.subarray(start, end))
    },
    dispose() {
      buffers.give(held)
      held = Buffer.alloc(0)
      return Promise.resolve()
    },
  }
}

function fileContent(file: SpoolFile, sha256: string): OutputContent {
  return {
    sizeBytes: file.sizeBytes,
    sha256,
    read: (start, end) => file.read(start, end),
    dispose: () => file.remove(),
  }
}

class SpoolFile {
  readonly #path: string
  readonly #handle: FileHandle
  readonly #key: Buffer | undefined
  readonly #cipher: Cipheriv | undefined
  #sizeBytes = 0
  #removed = false

  private constructor(path: string, handle: FileHandle, key: Buffer | undefined) {
    this.#path = path
    this.#handle = handle
    this.#key = key
    this.#cipher = key === undefined ? undefined : createCipheriv(CIPHER, key, counterAt(0))
  }

  static async create({ directory, clock, encrypt }: SpoolOptions): Promise<SpoolFile> {
    await makeDirectories(directory)
    const path = join(directory, clock.randomBytes(16).toString('hex') + FILE_EXTENSION)
    const handle = await open(path, 'wx+', 0o600)
    return new SpoolFile(path, handle, encrypt ? clock.randomBytes(32) : undefined)
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  async append(bytes: Buffer): Promise<void> {
    await this.#handle.writeFile(this.#cipher?.update(bytes) ?? bytes)
    this.#sizeBytes += bytes.byteLength
  }

  async read(start: number, end: number): Promise<Buffer> {
    assert(0 <= start && start <= end && end <= this.#sizeBytes, 'range outside of the content')
    // The cipher can only begin at a block of its own.
    const offset = start - (start % CIPHER_BLOCK_BYTES)
    const stored = Buffer.allocUnsafe(end - offset)
    await readFully(this.#handle, stored, offset)
    const plain =
      this.#key === undefined
        ? stored
        : createDecipheriv(CIPHER, this.#key, counterAt(offset)).update(stored)
    return plain.subarray(start - offset)
  }

  async remove(): Promise<void> {
    if (this.#removed) return
    this.#removed = true
    await this.#handle.close()
    await rm(this.#path, { force: true })
  }
}

function counterAt(offset: number): Buffer {
  const counter = Buffer.alloc(CIPHER_BLOCK_BYTES)
  counter.writeBigUInt64BE(BigInt(offset / CIPHER_BLOCK_BYTES), 8)
  return counter
}

async function readFully(handle: FileHandle, into: Buffer, position: number): Promise<void> {
  let filledBytes = 0
  while (filledBytes < into.byteLength) {
    const { bytesRead } = await handle.read(
      into,
      filledBytes,
      into.byteLength - filledBytes,
      position + filledBytes,
    )
    assert(bytesRead > 0, 'a spool file was cut short')
    filledBytes += bytesRead
  }
}
