/**
 * One batch under SQL, in a database of its own in memory: nothing of another batch is there. DuckDB is
 * closed off before it meets a query: no files, no network, no extensions, no settings.
 *
 *   standpipe_input   position, record: the JSON text of each record
 *   records           a view of it: a column for each key (sql-shape.ts, sql-view.ts)
 *   output            a view, the query
 *
 * Records have what they have: a key that a query names and that no record of the batch has is null.
 * So a query that can't be bound is tried once more with all that it names in the view.
 */
import { strict as assert } from 'node:assert'
import { isUtf8 } from 'node:buffer'
import type * as DuckDBModule from '@duckdb/node-api'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { isJsonObject } from '../../base/json.ts'
import type { Rejected } from './sql-messages.ts'
import { readQuery } from './sql-query.ts'
import type { Query } from './sql-query.ts'
import { rowsQuery } from './sql-rows.ts'
import { BatchShape, COLUMNS_MAX } from './sql-shape.ts'
import { INPUT_TABLE, quoteText, recordsView } from './sql-view.ts'

export type DuckDB = typeof DuckDBModule

/** DuckDB's vectors hold so many. */
const CHUNK_ROWS = 2048
const ROWS_BYTES_MAX = 256 * 1024 * 1024
/** What a row costs beside its bytes, about. */
const ROW_BYTES = 8
const NO_OBJECT = 'The record is not a JSON object'
const TOO_MANY_COLUMNS = `The record's keys would make more than ${COLUMNS_MAX} columns`

export class SqlSession {
  readonly #duckdb: DuckDB
  readonly #instance: DuckDBInstance
  readonly #connection: DuckDBConnection
  readonly #query: Query
  readonly #shape = new BatchShape()
  readonly #rejected: Rejected[] = []
  #position = 0

  private constructor(
    duckdb: DuckDB,
    instance: DuckDBInstance,
    connection: DuckDBConnection,
    query: Query,
  ) {
    this.#duckdb = duckdb
    this.#instance = instance
    this.#connection = connection
    this.#query = query
  }

  /** @throws QueryRefused when the query is no single SELECT over `records` */
  static async open(duckdb: DuckDB, memoryLimit: string, query: string): Promise<SqlSession> {
    const instance = await duckdb.DuckDBInstance.create(':memory:', {
      threads: '1',
      memory_limit: memoryLimit,
      temp_directory: '',
      max_temp_directory_size: '0KB',
      enable_external_access: 'false',
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    })
    try {
      const connection = await instance.connect()
      await connection.run(`SET TimeZone = 'UTC'; SET lock_configuration = true;`)
      const serialized = await readText(
        connection,
        `SELECT json_serialize_sql(${quoteText(query)})::VARCHAR`,
      )
      const read = readQuery(query, serialized)
      await connection.run(`CREATE TABLE ${INPUT_TABLE} (position INTEGER, record VARCHAR)`)
      return new SqlSession(duckdb, instance, connection, read)
    } catch (error) {
      instance.closeSync()
      throw error
    }
  }

  /** Binds the query to the records that there are; without any, whatever it names is null. */
  async bind(): Promise<void> {
    try {
      await this.#createViews()
    } catch {
      // What is wrong with the query itself is still wrong then, and is thrown.
      for (const path of this.#query.paths) this.#shape.addPath(path)
      await this.#createViews()
    }
  }

  async add(records: Iterable<Buffer>): Promise<void> {
    const appender = await this.#connection.createAppender(INPUT_TABLE)
    let texts: string[] = []
    let positions: number[] = []
    const append = (): void => {
      if (texts.length === 0) return
      const { DuckDBDataChunk, INTEGER, VARCHAR } = this.#duckdb
      const chunk = DuckDBDataChunk.create([INTEGER, VARCHAR], texts.length)
      chunk.setColumns([positions, texts])
      appender.appendDataChunk(chunk)
      texts = []
      positions = []
    }
    for (const record of records) {
      const position = this.#position
      const { text, reason } = this.#read(record)
      if (reason === undefined) {
        texts.push(text)
        positions.push(position)
      } else {
        this.#rejected.push({ index: position, reason })
      }
      this.#position += 1
      if (texts.length === CHUNK_ROWS) append()
    }
    append()
    appender.closeSync()
  }

  /** The records that are not in the table, in their order. */
  async rejected(): Promise<readonly Rejected[]> {
    // DuckDB knows of less than JSON.parse, e.g. no halves of surrogate pairs.
    const reader = await this.#connection.runAndReadAll(
      `DELETE FROM ${INPUT_TABLE} WHERE NOT json_valid(record) RETURNING position`,
    )
    const invalid = reader
      .getRows()
      .map(([position]) => ({ index: Number(position), reason: NO_OBJECT }))
    return [...this.#rejected, ...invalid].toSorted((one, other) => one.index - other.index)
  }

  /** The rows as JSON, a vector at a time. */
  async *rows(): AsyncGenerator<readonly Buffer[]> {
    const output = await this.#connection.run('SELECT * FROM output LIMIT 0')
    const types = output.columnTypes()
    const columns = output
      .columnNames()
      .map((name, index) => ({ name, type: types[index] ?? this.#duckdb.SQLNULL }))
    const result = await this.#connection.stream(rowsQuery(columns, this.#duckdb.DuckDBTypeId))
    let heldBytes = 0
    for (;;) {
      const chunk = await result.fetchChunk()
      if (chunk === null || chunk.rowCount === 0) return
      const rows = chunk.getColumnValues(0).map((text) => Buffer.from(String(text)))
      for (const { byteLength } of rows) heldBytes += byteLength + ROW_BYTES
      if (heldBytes > ROWS_BYTES_MAX) {
        throw new Error(`The rows of the result exceed ${ROWS_BYTES_MAX} bytes`)
      }
      yield rows
    }
  }

  close(): void {
    this.#connection.closeSync()
    this.#instance.closeSync()
  }

  async #createViews(): Promise<void> {
    await this.#connection.run(recordsView(this.#shape.columns, this.#query.namesRecord))
    await this.#connection.run(`CREATE OR REPLACE TEMP VIEW output AS ${this.#query.sql}`)
  }

  #read(record: Buffer): { readonly text: string; readonly reason?: string } {
    const text = record.toString()
    const value = isUtf8(record) ? parsed(text) : undefined
    if (!isJsonObject(value)) return { text, reason: NO_OBJECT }
    return this.#shape.add(value) ? { text } : { text, reason: TOO_MANY_COLUMNS }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function readText(connection: DuckDBConnection, sql: string): Promise<string> {
  const reader = await connection.runAndReadAll(sql)
  const text = reader.getRows()[0]?.[0]
  assert(typeof text === 'string')
  return text
}
