import { strict as assert } from 'node:assert'
import type { JsonObject } from '../base/json.ts'
import type { Chunk } from '../batch.ts'
import { recordsOf } from '../chunk.ts'
import type { OutputContent, Spool } from '../destination.ts'
import { ParquetFile } from '../formats/parquet-file.ts'
import type { FormatConversion } from '../processors/conversion/conversion-configuration.ts'
import { RowReader } from '../processors/conversion/row-reader.ts'
import type { Row } from '../processors/conversion/row-reader.ts'
import type { TableSchema } from '../table-schema.ts'
import { parquetSchema } from './parquet-schema.ts'

export interface ParquetEncoderOptions {
  /** As it was found when the records were checked (processors/format-conversion.ts). */
  readonly schema: TableSchema
  /** A DataFormatConversionConfiguration. */
  readonly configuration: JsonObject
  readonly spool: Spool
}

const MIB = 1024 * 1024
const PAGE_BYTES_DEFAULT = MIB
/** A row group ends when one of these is reached, so that its memory is bounded. */
const GROUP_ROWS_MAX = 32_768
const GROUP_RECORD_BYTES_MAX = 8 * MIB
const GROUP_VALUES_MAX = 4 * MIB

/**
 * One Parquet file in the making: records ▸ rows ▸ row groups ▸ spool. A record has as many rows as it
 * holds objects; it is records that are counted. That rows can be made of them was found before: a
 * record of which none can is a failed assumption, not an input error.
 */
export class ParquetEncoder {
  readonly #spool: Spool
  readonly #reader: RowReader
  readonly #file: ParquetFile
  readonly #groupRowsMax: number
  #columns: unknown[][]
  #groupRows = 0
  #groupRecordBytes = 0
  #recordCount = 0

  constructor({ schema, configuration, spool }: ParquetEncoderOptions) {
    const { InputFormatConfiguration, OutputFormatConfiguration } =
      configuration as FormatConversion
    const { ParquetSerDe } = OutputFormatConfiguration.Serializer
    assert(ParquetSerDe !== undefined, 'a configuration with another serializer was taken')
    const { Compression, PageSizeBytes, EnableDictionaryCompression } = ParquetSerDe
    this.#spool = spool
    this.#reader = new RowReader(
      schema,
      schema.deserializer ?? InputFormatConfiguration.Deserializer,
    )
    const { fields } = this.#reader
    this.#columns = fields.map(() => [])
    this.#groupRowsMax = Math.max(
      1,
      Math.min(GROUP_ROWS_MAX, Math.floor(GROUP_VALUES_MAX / fields.length)),
    )
    this.#file = new ParquetFile({
      schema: parquetSchema(fields),
      columnNames: fields.map(({ name }) => name),
      codec: Compression ?? 'SNAPPY',
      pageBytes: PageSizeBytes ?? PAGE_BYTES_DEFAULT,
      dictionaries: EnableDictionaryCompression ?? false,
      write: (bytes) => spool.write(bytes),
    })
  }

  /** Records added, not rows. */
  get recordCount(): number {
    return this.#recordCount
  }

  /** Never called concurrently. */
  async add(chunk: Chunk): Promise<void> {
    for (const record of recordsOf(chunk)) {
      for (const row of this.#reader.rows(record)) {
        this.#addRow(row)
        if (this.#groupRows >= this.#groupRowsMax) await this.#endGroup()
      }
      this.#groupRecordBytes += record.byteLength
      if (this.#groupRecordBytes >= GROUP_RECORD_BYTES_MAX) await this.#endGroup()
    }
    this.#recordCount += chunk.recordCount
  }

  async finish(): Promise<OutputContent> {
    await this.#endGroup()
    await this.#file.finish()
    return this.#spool.finish()
  }

  #addRow(row: Row): void {
    for (const [index, column] of this.#columns.entries()) column.push(row[index])
    this.#groupRows += 1
  }

  async #endGroup(): Promise<void> {
    this.#groupRecordBytes = 0
    if (this.#groupRows === 0) return
    const columns = this.#columns
    this.#columns = columns.map(() => [])
    this.#groupRows = 0
    await this.#file.addRowGroup(columns)
  }
}
