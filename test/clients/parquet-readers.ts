/** Readers of Parquet that we have not written, made to say what they read in the same words. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Json } from '../../src/base/json.ts'
import { pythonPackage } from './install.ts'

export interface ParquetContent {
  /** The reader's own names of the columns' types. */
  readonly types: Readonly<Record<string, string>>
  /** 64-bit integers, decimals, dates and timestamps as text, bytes in hex, maps as entries. */
  readonly rows: readonly Readonly<Record<string, Json>>[]
}

export type ReadParquet = (path: string) => Promise<ParquetContent>

export interface ParquetReader {
  readonly name: string
  /** Undefined where the machine doesn't have it. */
  open(): Promise<ReadParquet | undefined>
}

const SCRIPT = fileURLToPath(new URL('pyarrow_reader.py', import.meta.url))
const OUTPUT_BYTES_MAX = 1024 * 1024 * 1024

const pyarrow: ParquetReader = {
  name: 'pyarrow',
  async open() {
    const bin = await pythonPackage('pyarrow', '25.0.1')
    if (bin === undefined) return undefined
    return async (path) => {
      const options = { maxBuffer: OUTPUT_BYTES_MAX }
      const { stdout } = await promisify(execFile)(`${bin}/python`, [SCRIPT, path], options)
      const [types, ...rows] = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown)
      return { types, rows } as ParquetContent
    }
  },
}

const duckdb: ParquetReader = {
  name: 'DuckDB',
  async open() {
    const library = await import('@duckdb/node-api').catch(() => undefined)
    if (library === undefined) return undefined
    return async (path) => {
      const instance = await library.DuckDBInstance.create(':memory:')
      const connection = await instance.connect()
      try {
        const described = await connection.runAndReadAll(
          `SELECT column_name, column_type FROM (DESCRIBE FROM read_parquet('${path}'))`,
        )
        const types = Object.fromEntries(described.getRows()) as ParquetContent['types']
        const columns = Object.entries(types).map(([name, type]) =>
          type === 'BLOB' ? `lower(hex("${name}")) AS "${name}"` : `"${name}"`,
        )
        const read = await connection.runAndReadAll(
          `SELECT ${columns.join(', ')} FROM read_parquet('${path}')`,
        )
        return { types, rows: read.getRowObjectsJson() }
      } finally {
        connection.closeSync()
        instance.closeSync()
      }
    }
  },
}

export const parquetReaders: readonly ParquetReader[] = [duckdb, pyarrow]
