import { access, open, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { openCompressor } from '../formats/compression.ts'
import type { Compressor } from '../formats/compressor.ts'
import { encodePart, MAGIC } from './transfer-file.ts'
import type { Part } from './transfer-file.ts'

/** It holds records, and is for whoever writes it alone. */
const MODE = 0o600

/** Writes a transfer file (transfer-file.ts), which is there under its name as a whole or not at all. */
export class TransferWriter implements AsyncDisposable {
  readonly #path: string
  readonly #file: FileHandle
  readonly #compressor: Compressor
  #sizeBytes = 0
  #isFinished = false

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
    this.#compressor = openCompressor('ZSTD', { entryName: '' }, (bytes) => this.#append(bytes))
  }

  /** @throws Error when there is a file of that name, or the system's error */
  static async create(path: string): Promise<TransferWriter> {
    if (await isThere(path)) throw new Error(`Cannot export to ${path}: the file exists`)
    const unfinishedPath = unfinished(path)
    // Of an export that was killed; another user's file would keep its mode.
    await rm(unfinishedPath, { force: true })
    const writer = new TransferWriter(path, await open(unfinishedPath, 'wx', MODE))
    await writer.#append(MAGIC)
    return writer
  }

  /** Has no more use for the part's memory once it has resolved. */
  async write(part: Part): Promise<void> {
    for (const bytes of encodePart(part)) await this.#compressor.write(bytes)
  }

  /** Makes the file durable under its name; resolves with its size. */
  async finish(): Promise<number> {
    await this.#compressor.finish()
    await this.#file.sync()
    await this.#file.close()
    await rename(unfinished(this.#path), this.#path)
    this.#isFinished = true
    await syncDirectory(dirname(resolve(this.#path)))
    return this.#sizeBytes
  }

  /** Removes what is not finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isFinished) return
    await this.#file.close()
    await rm(unfinished(this.#path), { force: true })
  }

  async #append(bytes: Uint8Array): Promise<void> {
    await this.#file.appendFile(bytes)
    this.#sizeBytes += bytes.byteLength
  }
}

function unfinished(path: string): string {
  return `${path}.unfinished`
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
