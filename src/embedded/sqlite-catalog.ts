import { strict as assert } from 'node:assert'
import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import type { Clock } from '../base/clock.ts'
import type { BatchId, SealedBatch } from '../batch.ts'
import { CatalogConflict } from '../catalog.ts'
import type { Catalog, KnownReplayedPart, ReplayedPart } from '../catalog.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import { EMPTY_BOOKS } from '../receipt.ts'
import type { Books, Receipt } from '../receipt.ts'
import { migrate } from './catalog-schema.ts'
import { LedgerWriter } from './ledger-writer.ts'
import { decodeReceipt } from '../pipeline/receipt-json.ts'

export interface SqliteCatalogOptions {
  /** Path of the database file. */
  readonly path: string
  readonly clock: Clock
}

/**
 * The embedded Catalog. node:sqlite blocks the thread, so transactions are short, and those of the
 * ledger, which come with every batch, are gathered (ledger-writer.ts).
 */
export class SqliteCatalog implements Catalog {
  readonly #database: DatabaseSync
  readonly #ledger: LedgerWriter
  readonly #statements: Statements

  private constructor(database: DatabaseSync, clock: Clock) {
    this.#database = database
    this.#ledger = new LedgerWriter(database, clock)
    this.#statements = prepare(database)
  }

  static open({ path, clock }: SqliteCatalogOptions): SqliteCatalog {
    const database = new DatabaseSync(path)
    try {
      // FULL: a commit is on disk when it returns, also in WAL mode.
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
      migrate(database)
      return new SqliteCatalog(database, clock)
    } catch (error) {
      database.close()
      throw error
    }
  }

  async streams(): Promise<readonly DeliveryStream[]> {
    return this.#statements.streams.all().map((row) => jsonOf(row) as DeliveryStream)
  }

  /** Nobody else has the database open. */
  watchStreams(): void {}

  async createStream(stream: DeliveryStream): Promise<void> {
    const { changes } = this.#statements.createStream.run(
      stream.streamId,
      stream.name,
      stream.revision,
      JSON.stringify(stream),
    )
    if (changes === 0) {
      throw new CatalogConflict(`Cannot create stream ${stream.name}: it exists`)
    }
  }

  async replaceStream(stream: DeliveryStream): Promise<DeliveryStream> {
    const stored = { ...stream, revision: stream.revision + 1 }
    const { changes } = this.#statements.replaceStream.run(
      stored.revision,
      JSON.stringify(stored),
      stream.streamId,
      stream.revision,
    )
    if (changes === 0) {
      throw new CatalogConflict(`Cannot change stream ${stream.name}: it was changed meanwhile`)
    }
    return stored
  }

  deleteStream(streamId: string): Promise<void> {
    return this.#ledger.write((ledger) => ledger.deleteStream(streamId))
  }

  recordSealed(batch: SealedBatch): Promise<void> {
    return this.#ledger.write((ledger) => ledger.enterSealed(batch))
  }

  recordReceipt(receipt: Receipt): Promise<void> {
    return this.#ledger.write((ledger) => ledger.enterReceipt(receipt))
  }

  async receipt(batchId: BatchId): Promise<Receipt | undefined> {
    const row = this.#statements.receipt.get(batchId)
    return row === undefined ? undefined : decodeReceipt(row['json'])
  }

  async latestReceipts(streamId: string, limit: number): Promise<readonly Receipt[]> {
    const rows = this.#statements.latestReceipts.all(streamId, limit)
    return rows.map((row) => decodeReceipt(row['json']))
  }

  async books(streamId: string): Promise<Books> {
    const row = this.#statements.books.get(streamId) as Books | undefined
    return row === undefined ? EMPTY_BOOKS : { ...row }
  }

  pruneReceipts(deliveredBeforeMs: number): Promise<void> {
    return this.#ledger.write((ledger) => ledger.pruneReceipts(deliveredBeforeMs))
  }

  async recordReplay(part: ReplayedPart, knownCount: number): Promise<void> {
    const { streamId, source } = part
    if (this.#statements.replayedParts.all(streamId, source).length !== knownCount) {
      throw new CatalogConflict(`Cannot replay ${source}: somebody else is replaying it`)
    }
    await this.#ledger.write((ledger) => ledger.enterReplay(part))
  }

  async replayedPart(batchId: BatchId): Promise<KnownReplayedPart | undefined> {
    const row = this.#statements.replayedPart.get(batchId)
    return row === undefined ? undefined : partOf(row)
  }

  async replayedParts(streamId: string, source: string): Promise<readonly KnownReplayedPart[]> {
    return this.#statements.replayedParts.all(streamId, source).map(partOf)
  }

  async close(): Promise<void> {
    await this.#ledger.close()
    if (this.#database.isOpen) this.#database.close()
  }
}

interface Statements {
  readonly streams: StatementSync
  readonly createStream: StatementSync
  readonly replaceStream: StatementSync
  readonly receipt: StatementSync
  readonly latestReceipts: StatementSync
  readonly books: StatementSync
  readonly replayedPart: StatementSync
  readonly replayedParts: StatementSync
}

function prepare(database: DatabaseSync): Statements {
  return {
    streams: database.prepare('SELECT json FROM streams ORDER BY name'),
    createStream: database.prepare(
      'INSERT INTO streams (stream_id, name, revision, json) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    ),
    replaceStream: database.prepare(
      'UPDATE streams SET revision = ?, json = ? WHERE stream_id = ? AND revision = ?',
    ),
    receipt: database.prepare('SELECT json FROM receipts WHERE batch_id = ?'),
    latestReceipts: database.prepare(
      'SELECT json FROM receipts WHERE stream_id = ? ORDER BY delivered_at_ms DESC, batch_id DESC LIMIT ?',
    ),
    books: database.prepare(
      'SELECT accepted, made, delivered, dropped, errored, quarantined FROM books WHERE stream_id = ?',
    ),
    replayedPart: database.prepare('SELECT * FROM replays WHERE batch_id = ?'),
    replayedParts: database.prepare(
      'SELECT * FROM replays WHERE stream_id = ? AND source = ? ORDER BY rowid',
    ),
  }
}

function jsonOf(row: Record<string, unknown>): unknown {
  assert(typeof row['json'] === 'string')
  return JSON.parse(row['json'])
}

/** A row of `replays`. */
export function partOf(row: Record<string, unknown>): KnownReplayedPart {
  return {
    streamId: String(row['stream_id']),
    source: String(row['source']),
    batchId: String(row['batch_id']),
    range: { from: Number(row['first_record']), to: Number(row['end_record']) },
    records: String(row['records']),
    imported: row['imported'] === 1,
  }
}
