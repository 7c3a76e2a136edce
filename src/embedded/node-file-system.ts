import { constants } from 'node:fs'
import { mkdir, open, readdir, rename, rmdir, statfs, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { errorCode } from './file-system.ts'
import type { FileSystem, OpenFile } from './file-system.ts'

const OPEN_FLAGS = {
  create: constants.O_CREAT | constants.O_EXCL | constants.O_RDWR,
  update: constants.O_RDWR,
  read: constants.O_RDONLY,
}
/** Batches may hold anything; nobody but the service's user reads them. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700
/** Buffers that one system call takes (IOV_MAX). */
const BUFFERS_MAX = 1024

export const nodeFileSystem: FileSystem = {
  async open(path, mode) {
    return new NodeFile(await open(path, OPEN_FLAGS[mode], FILE_MODE))
  },
  rename,
  unlink,
  async list(directory) {
    return unless('ENOENT', readdir(directory), [])
  },
  async makeDirectory(path) {
    await unless('EEXIST', mkdir(path, { mode: DIRECTORY_MODE }), undefined)
  },
  removeDirectory: rmdir,
  async syncDirectory(path) {
    const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  },
  async freeBytes(path) {
    const { bavail, bsize } = await statfs(path)
    return bavail * bsize
  },
}

class NodeFile implements OpenFile {
  readonly #handle: FileHandle

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    let rest = [...buffers]
    let offset = position
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.writev(rest.slice(0, BUFFERS_MAX), offset)
      offset += bytesWritten
      rest = without(rest, bytesWritten)
    }
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    let filled = 0
    while (filled < buffer.byteLength) {
      const { bytesRead } = await this.#handle.read(
        buffer,
        filled,
        buffer.byteLength - filled,
        position + filled,
      )
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return filled
  }

  datasync(): Promise<void> {
    return this.#handle.datasync()
  }

  async sizeBytes(): Promise<number> {
    const { size } = await this.#handle.stat()
    return size
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#handle.truncate(sizeBytes)
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/** What remains of `buffers` after their first `count` bytes. */
function without(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let index = 0
  let skip = count
  for (let buffer = buffers[index]; buffer !== undefined; buffer = buffers[index]) {
    if (skip < buffer.byteLength) return [buffer.subarray(skip), ...buffers.slice(index + 1)]
    skip -= buffer.byteLength
    index += 1
  }
  return []
}

async function unless<Value>(
  code: string,
  result: Promise<Value>,
  otherwise: Value,
): Promise<Value> {
  try {
    return await result
  } catch (error) {
    if (errorCode(error) === code) return otherwise
    throw error
  }
}
