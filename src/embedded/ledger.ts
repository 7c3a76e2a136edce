import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { SealedBatch } from '../batch.ts'
import type { ReplayedPart } from '../catalog.ts'
import type { Accounting } from '../manifest.ts'
import type { Receipt } from '../receipt.ts'
import { encodeReceipt } from '../pipeline/receipt-json.ts'

/**
 * What may be entered into the books. Each method runs within a transaction that its caller holds,
 * and entering twice is entering once: batches are told apart by their receipts, and before those by
 * their rows in `accepted`.
 */
export class Ledger {
  readonly #database: DatabaseSync
  readonly #hasReceipt: StatementSync
  readonly #insertAccepted: StatementSync
  readonly #deleteAccepted: StatementSync
  readonly #insertReceipt: StatementSync
  readonly #addToBooks: StatementSync
  readonly #insertReplay: StatementSync
  readonly #markImported: StatementSync

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#hasReceipt = database.prepare('SELECT 1 FROM receipts WHERE batch_id = ?')
    this.#insertAccepted = database.prepare(
      'INSERT INTO accepted (batch_id, stream_id) VALUES (?, ?) ON CONFLICT DO NOTHING',
    )
    this.#deleteAccepted = database.prepare('DELETE FROM accepted WHERE batch_id = ?')
    this.#insertReceipt = database.prepare(
      'INSERT INTO receipts (batch_id, stream_id, delivered_at_ms, json) VALUES (?, ?, ?, ?)',
    )
    this.#addToBooks = database.prepare(
      `INSERT INTO books (stream_id, accepted, made, delivered, dropped, errored, quarantined)
       VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET
         accepted = accepted + excluded.accepted,
         made = made + excluded.made,
         delivered = delivered + excluded.delivered,
         dropped = dropped + excluded.dropped,
         errored = errored + excluded.errored,
         quarantined = quarantined + excluded.quarantined`,
    )
    this.#insertReplay = database.prepare(
      `INSERT INTO replays (batch_id, stream_id, source, first_record, end_record, records)
       VALUES (?, ?, ?, ?, ?, ?)`,
    )
    this.#markImported = database.prepare('UPDATE replays SET imported = 1 WHERE batch_id = ?')
  }

  enterSealed({ batchId, streamId, recordCount }: SealedBatch): void {
    if (this.#hasReceipt.get(batchId) !== undefined) return
    const { changes } = this.#insertAccepted.run(batchId, streamId)
    if (changes === 0) return
    this.#addToBooks.run(streamId, recordCount, 0, 0, 0, 0, 0)
    this.#markImported.run(batchId)
  }

  enterReceipt(receipt: Receipt): void {
    const { batchId, streamId, recordCount, deliveredAtMs } = receipt
    if (this.#hasReceipt.get(batchId) !== undefined) return
    const { changes } = this.#deleteAccepted.run(batchId)
    if (changes === 0) this.#markImported.run(batchId)
    this.#insertReceipt.run(batchId, streamId, deliveredAtMs, encodeReceipt(receipt))
    this.#addToBooks.run(
      streamId,
      changes === 1 ? 0 : recordCount,
      receipt.madeCount ?? 0,
      countOf(receipt, 'delivered'),
      receipt.droppedCount,
      countOf(receipt, 'errored'),
      receipt.quarantinedCount,
    )
  }

  enterReplay({ batchId, streamId, source, range, records }: ReplayedPart): void {
    this.#insertReplay.run(batchId, streamId, source, range.from, range.to, records)
  }

  deleteStream(streamId: string): void {
    for (const table of ['streams', 'receipts', 'accepted', 'books', 'replays']) {
      this.#database.prepare(`DELETE FROM ${table} WHERE stream_id = ?`).run(streamId)
    }
  }

  pruneReceipts(deliveredBeforeMs: number): void {
    this.#database.prepare('DELETE FROM receipts WHERE delivered_at_ms < ?').run(deliveredBeforeMs)
  }
}

function countOf({ outputs }: Receipt, accounting: Accounting): number {
  return outputs.reduce(
    (sum, output) => (output.accounting === accounting ? sum + output.recordCount : sum),
    0,
  )
}
