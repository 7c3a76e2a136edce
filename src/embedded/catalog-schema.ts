/**
 * The catalog's tables.
 *
 *   streams    a delivery stream as JSON, with what is looked up and compared beside it
 *   books      sums of a stream's records over its whole life
 *   accepted   sealed batches that are in `books.accepted` and have no receipt yet
 *   receipts   delivered batches, as JSON (pipeline/receipt-json.ts), until they are pruned
 *   replays    records of source objects, each with the batch that they were replayed in
 *
 * `PRAGMA user_version` counts the migrations that a database has been through.
 */
import type { DatabaseSync } from 'node:sqlite'

/** Never changed once released; a new version is a new entry. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE streams (
     stream_id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     revision INTEGER NOT NULL,
     json TEXT NOT NULL
   ) WITHOUT ROWID;
   CREATE TABLE books (
     stream_id TEXT PRIMARY KEY,
     accepted INTEGER NOT NULL DEFAULT 0,
     delivered INTEGER NOT NULL DEFAULT 0,
     dropped INTEGER NOT NULL DEFAULT 0,
     errored INTEGER NOT NULL DEFAULT 0,
     quarantined INTEGER NOT NULL DEFAULT 0
   ) WITHOUT ROWID;
   CREATE TABLE accepted (
     batch_id TEXT PRIMARY KEY,
     stream_id TEXT NOT NULL
   ) WITHOUT ROWID;
   CREATE INDEX accepted_by_stream ON accepted (stream_id);
   CREATE TABLE receipts (
     batch_id TEXT PRIMARY KEY,
     stream_id TEXT NOT NULL,
     delivered_at_ms INTEGER NOT NULL,
     json TEXT NOT NULL
   ) WITHOUT ROWID;
   CREATE INDEX receipts_by_stream ON receipts (stream_id, delivered_at_ms, batch_id);
   CREATE INDEX receipts_by_time ON receipts (delivered_at_ms);`,
  `CREATE TABLE replays (
     batch_id TEXT PRIMARY KEY,
     stream_id TEXT NOT NULL,
     source TEXT NOT NULL,
     first_record INTEGER NOT NULL,
     end_record INTEGER NOT NULL,
     records TEXT NOT NULL,
     imported INTEGER NOT NULL DEFAULT 0
   );
   CREATE INDEX replays_by_source ON replays (stream_id, source);`,
  'ALTER TABLE books ADD COLUMN made INTEGER NOT NULL DEFAULT 0;',
]

/** @throws when the database was written by a newer Standpipe */
export function migrate(database: DatabaseSync, migrations = MIGRATIONS): void {
  const row = database.prepare('PRAGMA user_version').get() as { user_version: number }
  const version = row.user_version
  if (version > migrations.length) {
    throw new Error(
      `Cannot open the catalog: it has version ${version}, this Standpipe knows ${migrations.length}`,
    )
  }
  for (const [index, migration] of migrations.entries()) {
    if (index < version) continue
    database.exec(`BEGIN IMMEDIATE; ${migration}; PRAGMA user_version = ${index + 1}; COMMIT`)
  }
}
