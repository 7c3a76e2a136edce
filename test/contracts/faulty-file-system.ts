import type { FileSystem, OpenFile } from '../../src/embedded/file-system.ts'
import { nodeFileSystem } from '../../src/embedded/node-file-system.ts'

export type Operation = keyof FileSystem | keyof OpenFile

export interface Call {
  readonly operation: Operation
  readonly path: string
}

/** The real file system, with a log of what was asked of it and errors where a test wants them. */
export class FaultyFileSystem implements FileSystem {
  readonly calls: Call[] = []
  /** Answers before the file system does: an error code makes the call fail. */
  fault: (call: Call) => string | undefined = () => undefined
  freeBytesLeft: number | undefined

  /** How often `operation` was called for paths that end in `suffix`. */
  count(operation: Operation, suffix = ''): number {
    return this.calls.filter((call) => call.operation === operation && call.path.endsWith(suffix))
      .length
  }

  async open(path: string, mode: 'create' | 'update' | 'read'): Promise<OpenFile> {
    this.#enter('open', path)
    const file = await nodeFileSystem.open(path, mode)
    const enter = (operation: keyof OpenFile): void => this.#enter(operation, path)
    return {
      write: async (buffers, position) => {
        try {
          enter('write')
        } catch (error) {
          // As much as a full or failing disk may have taken.
          await file.write(buffers.slice(0, -1), position)
          throw error
        }
        await file.write(buffers, position)
      },
      read: (buffer, position) => file.read(buffer, position),
      async datasync() {
        enter('datasync')
        await file.datasync()
      },
      sizeBytes: () => file.sizeBytes(),
      async truncate(sizeBytes) {
        enter('truncate')
        await file.truncate(sizeBytes)
      },
      close: () => file.close(),
    }
  }

  async rename(from: string, to: string): Promise<void> {
    this.#enter('rename', from)
    await nodeFileSystem.rename(from, to)
  }

  async unlink(path: string): Promise<void> {
    this.#enter('unlink', path)
    await nodeFileSystem.unlink(path)
  }

  list(directory: string): Promise<string[]> {
    return nodeFileSystem.list(directory)
  }

  async makeDirectory(path: string): Promise<void> {
    this.#enter('makeDirectory', path)
    await nodeFileSystem.makeDirectory(path)
  }

  removeDirectory(path: string): Promise<void> {
    return nodeFileSystem.removeDirectory(path)
  }

  async syncDirectory(path: string): Promise<void> {
    this.#enter('syncDirectory', path)
    await nodeFileSystem.syncDirectory(path)
  }

  async freeBytes(path: string): Promise<number> {
    this.#enter('freeBytes', path)
    return this.freeBytesLeft ?? nodeFileSystem.freeBytes(path)
  }

  #enter(operation: Operation, path: string): void {
    this.calls.push({ operation, path })
    const code = this.fault({ operation, path })
    if (code === undefined) return
    throw Object.assign(new Error(`${code}: ${operation} ${path}`), { code })
  }
}
