import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../base/clock.ts'
import { Ledger } from './ledger.ts'

/** Long enough for batches that end together to share a sync, short beside a delivery. */
const GATHER_MS = 3

interface Entry {
  readonly write: (ledger: Ledger) => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Group commit for the ledger: entries made within a few ms share one transaction, and one sync. */
export class LedgerWriter {
  readonly #database: DatabaseSync
  readonly #clock: Clock
  readonly #ledger: Ledger
  #waiting: Entry[] = []
  #gathering: Promise<void> | undefined

  constructor(database: DatabaseSync, clock: Clock) {
    this.#database = database
    this.#clock = clock
    this.#ledger = new Ledger(database)
  }

  /** Resolves when what `write` did is durable. When the transaction fails, all in it fail. */
  write(write: (ledger: Ledger) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push({ write, resolve, reject })
    this.#gathering ??= this.#gather()
    return promise
  }

  /** Resolves when nothing waits any more. */
  async close(): Promise<void> {
    while (this.#gathering !== undefined) await this.#gathering
  }

  async #gather(): Promise<void> {
    await this.#clock.sleep(GATHER_MS)
    this.#gathering = undefined
    const entries = this.#waiting
    this.#waiting = []
    try {
      this.#transact(entries)
    } catch (error) {
      for (const { reject } of entries) reject(error)
      return
    }
    for (const { resolve } of entries) resolve()
  }

  #transact(entries: readonly Entry[]): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      for (const { write } of entries) write(this.#ledger)
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }
}
