import { DatabaseSync } from 'node:sqlite'
import type { BatchId } from '../batch.ts'
import type { CatalogTransfer } from '../catalog-transfer.ts'
import type { KnownReplayedPart } from '../catalog.ts'
import { decodeReceipt, encodeReceipt } from '../pipeline/receipt-json.ts'
import type { Books, Receipt } from '../receipt.ts'
import { partOf } from './sqlite-catalog.ts'

/** Receipts may be large. */
const RECEIPTS_PER_PAGE = 50
const REPLAYS_PER_PAGE = 200

/** Over a connection of its own, beside that of the catalog (sqlite-catalog.ts), which has migrated it. */
export class SqliteCatalogTransfer implements CatalogTransfer {
  readonly #database: DatabaseSync

  constructor(path: string) {
    this.#database = new DatabaseSync(path)
    this.#database.exec('PRAGMA synchronous = FULL')
  }

  async hasReceipt(_streamId: string, batchId: BatchId): Promise<boolean> {
    const statement = this.#database.prepare('SELECT 1 FROM receipts WHERE batch_id = ?')
    return statement.get(batchId) !== undefined
  }

  async *receipts(streamId: string): AsyncGenerator<readonly Receipt[]> {
    const statement = this.#database.prepare(
      'SELECT json FROM receipts WHERE stream_id = ? ORDER BY delivered_at_ms, batch_id',
    )
    for (const rows of inPages(statement.iterate(streamId), RECEIPTS_PER_PAGE)) {
      yield rows.map(({ json }) => decodeReceipt(json))
    }
  }

  async *replays(streamId: string): AsyncGenerator<readonly KnownReplayedPart[]> {
    const statement = this.#database.prepare(
      'SELECT * FROM replays WHERE stream_id = ? ORDER BY rowid',
    )
    for (const rows of inPages(statement.iterate(streamId), REPLAYS_PER_PAGE)) {
      yield rows.map(partOf)
    }
  }

  async restoreBooks(streamId: string, books: Books): Promise<void> {
    const { accepted, made, delivered, dropped, errored, quarantined } = books
    this.#transact(() => {
      for (const table of ['books', 'accepted', 'receipts', 'replays']) {
        this.#database.prepare(`DELETE FROM ${table} WHERE stream_id = ?`).run(streamId)
      }
      this.#database
        .prepare(
          `INSERT INTO books (stream_id, accepted, made, delivered, dropped, errored, quarantined)
           VALUES (?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(streamId, accepted, made, delivered, dropped, errored, quarantined)
    })
  }

  async restoreReceipts(streamId: string, receipts: readonly Receipt[]): Promise<void> {
    const insert = this.#database.prepare(
      `INSERT INTO receipts (batch_id, stream_id, delivered_at_ms, json) VALUES (?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
    )
    this.#transact(() => {
      for (const receipt of receipts) {
        insert.run(receipt.batchId, streamId, receipt.deliveredAtMs, encodeReceipt(receipt))
      }
    })
  }

  async restoreReplays(streamId: string, parts: readonly KnownReplayedPart[]): Promise<void> {
    const insert = this.#database.prepare(
      `INSERT INTO replays (batch_id, stream_id, source, first_record, end_record, records, imported)
       VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    )
    this.#transact(() => {
      for (const { batchId, source, range, records, imported } of parts) {
        insert.run(batchId, streamId, source, range.from, range.to, records, imported ? 1 : 0)
      }
    })
  }

  close(): void {
    this.#database.close()
  }

  #transact(write: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      write()
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }
}

type Row = Record<string, unknown>

function* inPages(rows: Iterable<Row>, rowsPerPage: number): Generator<readonly Row[]> {
  let page: Row[] = []
  for (const row of rows) {
    page.push(row)
    if (page.length < rowsPerPage) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}
