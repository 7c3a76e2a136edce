/**
 * A Parquet file in the making, row group by row group; only the one being written is in memory. The
 * same columns give the same bytes: nothing in them says when or by which version they were written.
 */
import { gzipSync } from 'node:zlib'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import type { SchemaElement } from 'hyparquet-writer'

export type ParquetSchemaElement = SchemaElement
export type ParquetCodec = 'UNCOMPRESSED' | 'GZIP' | 'SNAPPY'

export interface ParquetFileOptions {
  /** Depth first, the root at its head. */
  readonly schema: readonly ParquetSchemaElement[]
  /** Of the root's children. */
  readonly columnNames: readonly string[]
  readonly codec: ParquetCodec
  /** Of a page before it is compressed. */
  readonly pageBytes: number
  /** Whether columns get a dictionary where that makes them smaller. */
  readonly dictionaries: boolean
  /** The memory is the file's again when it resolves. */
  readonly write: (bytes: Uint8Array) => Promise<void>
}

/** Readers expect `<name> version <version>`; this is the version of the form, not of Standpipe. */
const CREATED_BY = 'standpipe version 1.0'

export class ParquetFile {
  readonly #options: ParquetFileOptions
  readonly #bytes: PassingWriter
  readonly #writer: ParquetWriter

  constructor(options: ParquetFileOptions) {
    this.#options = options
    this.#bytes = new PassingWriter(options.write)
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: options.schema.map(untold),
      codec: options.codec,
      compressors: { GZIP: (bytes) => gzipSync(bytes) },
      createdBy: CREATED_BY,
    })
  }

  /** @param columns of the same length, which is not 0 */
  async addRowGroup(columns: readonly (readonly unknown[])[]): Promise<void> {
    const { columnNames, pageBytes, dictionaries } = this.#options
    await this.#writer.write({
      columnData: columnNames.map((name, index) => ({
        name,
        data: columns[index] as unknown[],
        ...(!dictionaries && { encoding: 'PLAIN' as const }),
      })),
      rowGroupSize: columns[0]?.length ?? 0,
      pageSize: pageBytes,
    })
  }

  async finish(): Promise<void> {
    this.#writer.schema = [...this.#options.schema]
    await this.#writer.finish()
    await this.#bytes.flush()
  }
}

/** Gathers a row group's bytes; the library flushes when it has written one. */
class PassingWriter extends ByteWriter {
  readonly #write: (bytes: Uint8Array) => Promise<void>

  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    super()
    this.#write = write
  }

  async flush(): Promise<void> {
    await this.#write(this.getBytes())
    this.index = 0
  }
}

/**
 * The element as columns are written by. Told that one is UTF8, the library makes bytes of all its texts
 * before it writes the first, which costs twice the memory; not told, it takes text after text. What
 * readers are told stands in the footer, which is written last.
 */
function untold(element: ParquetSchemaElement): ParquetSchemaElement {
  if (element.converted_type !== 'UTF8') return element
  const { converted_type: _told, ...others } = element
  return others
}
