import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** SQLite's result code for a database that another connection has locked. */
const SQLITE_BUSY = 5

/**
 * Keeps a second process out of a data directory, as long as it isn't closed. It is SQLite's
 * exclusive lock on `<data>/lock`, an empty database: the operating system gives it back when the
 * process ends, however it ends, so there is no stale lock to judge, and it holds across containers
 * that share a volume, where process ids mean nothing.
 */
export class DataLock {
  readonly #database: DatabaseSync

  private constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** @throws when another process, or another part of this one, holds the directory */
  static acquire(dataDirectory: string): DataLock {
    let database: DatabaseSync | undefined
    try {
      database = new DatabaseSync(join(dataDirectory, 'lock'), { timeout: 0 })
      database.exec('BEGIN EXCLUSIVE')
      return new DataLock(database)
    } catch (error) {
      database?.close()
      const reason = isBusy(error)
        ? 'another Standpipe process is using it'
        : `its lock can not be taken, ${(error as Error).message}`
      throw new Error(`Cannot use data directory ${dataDirectory}: ${reason}`, { cause: error })
    }
  }

  release(): void {
    this.#database.close()
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
}
