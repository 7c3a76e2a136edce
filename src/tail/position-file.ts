/**
 * How far each file is sent, kept across restarts: JSON, replaced as a whole (temporary name, fsync,
 * rename, fsync of the directory), so that it is always the old one or the new one. One process at a
 * time: SQLite's lock on `<file>.lock`, which the system gives back however the process ends.
 */
import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isJsonObject } from '../base/json.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { makeDirectories } from '../base/make-directories.ts'
import type { FilePosition } from './file-identity.ts'

const VERSION = 1

export interface Positions {
  readonly streamName: string
  /** The patterns that files were looked for with: what is new under one of them is read from its start. */
  readonly patterns: readonly string[]
  /** Older files of a series before younger ones. */
  readonly files: readonly FilePosition[]
}

/** The file can't be used: somebody must look at it, or choose another. */
export class PositionsUnusable extends Error {
  override readonly name = 'PositionsUnusable'
}

export class PositionFile {
  readonly #path: string
  readonly #lock: DatabaseSync

  private constructor(path: string, lock: DatabaseSync) {
    this.#path = path
    this.#lock = lock
  }

  /** @throws PositionsUnusable when another process uses it, or it can't be made */
  static async open(path: string): Promise<PositionFile> {
    let lock: DatabaseSync | undefined
    try {
      await makeDirectories(dirname(path))
      lock = new DatabaseSync(`${path}.lock`, { timeout: 0 })
      lock.exec('BEGIN EXCLUSIVE')
      return new PositionFile(path, lock)
    } catch (error) {
      lock?.close()
      const reason = error instanceof Error ? error.message : String(error)
      const why = reason.includes('locked') ? 'another standpipe tail is using it' : reason
      throw new PositionsUnusable(`Cannot use ${path}: ${why}`, { cause: error })
    }
  }

  /**
   * Undefined when there is none yet.
   * @throws PositionsUnusable when there is something else, or positions in another stream
   */
  async read(streamName: string): Promise<Positions | undefined> {
    let text
    try {
      text = await readFile(this.#path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    const positions = parsePositions(text)
    if (positions?.streamName === streamName) return positions
    const what =
      positions === undefined
        ? 'it is no file of positions of this version'
        : `its positions are those of stream ${positions.streamName}`
    throw new PositionsUnusable(`Cannot use ${this.#path}: ${what}`)
  }

  async write(positions: Positions): Promise<void> {
    const temporary = `${this.#path}.new`
    const file = await open(temporary, 'w', 0o600)
    try {
      await file.writeFile(`${JSON.stringify({ version: VERSION, ...positions })}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, this.#path)
    await syncDirectory(dirname(this.#path))
  }

  close(): void {
    this.#lock.close()
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function parsePositions(text: string): Positions | undefined {
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch {
    return undefined
  }
  if (!isJsonObject(value) || value['version'] !== VERSION) return undefined
  const { streamName, patterns, files } = value
  const isWhole =
    typeof streamName === 'string' &&
    Array.isArray(patterns) &&
    patterns.every((pattern) => typeof pattern === 'string') &&
    Array.isArray(files) &&
    files.every((file) => isJsonObject(file) && isFilePosition(file))
  return isWhole ? (value as unknown as Positions) : undefined
}

function isFilePosition(file: JsonObject): boolean {
  const { path, device, inode, headSha256, headBytes, offset, sizeBytes } = file
  return (
    [path, device, inode, headSha256].every((text) => typeof text === 'string') &&
    [headBytes, offset, sizeBytes].every((count) => Number.isSafeInteger(count))
  )
}
