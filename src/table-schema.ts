/**
 * The schema that records are converted by: what a Glue table says, from wherever it was had (facts:
 * Record format conversion). Types are written as Hive writes them: `bigint`, `decimal(10,2)`,
 * `struct<a:int,b:array<string>>`.
 */
import type { JsonObject } from './base/json.ts'

export type TableColumn = {
  readonly name: string
  readonly type: string
}

/** Plain data, so that it can be staged with a batch. */
export type TableSchema = {
  readonly catalogId: string
  readonly databaseName: string
  readonly tableName: string
  readonly region: string
  readonly versionId: string
  readonly columns: readonly TableColumn[]
  /**
   * Of a batch that was converted: the Deserializer that its records were found good by, which counts
   * from then on, whatever the stream's configuration has become.
   */
  readonly deserializer?: JsonObject
}

export interface Tables {
  /**
   * The table that a DataFormatConversionConfiguration's SchemaConfiguration names, as it is now; may
   * be some minutes old.
   * @throws ConfigurationError when no setting and no endpoint knows the table
   * @throws Error when that can't be found out now
   */
  schema(schemaConfiguration: JsonObject): Promise<TableSchema>
  close(): Promise<void>
}
