/**
 * The stage before Parquet is written (facts: Record format conversion). It finds out by which schema
 * the batch is converted, and fails the records that no rows can be made of. The records themselves go
 * on as they are, for the destination's encoder to write (objects/parquet-encoder.ts).
 *
 * A record holds one JSON object or several: each is a row, and one that fails fails them all. In the
 * books, a record counts as one however many rows it has.
 */
import type { Clock } from '../../base/clock.ts'
import type { JsonObject } from '../../base/json.ts'
import { ConfigurationError, DeliveryError } from '../../destination.ts'
import type { ProcessingFailure, Processor } from '../../processor.ts'
import { encodeRecordId } from '../../record.ts'
import type { TableSchema, Tables } from '../../table-schema.ts'
import type { FormatConversion } from './conversion-configuration.ts'
import { InvalidSchema } from './hive-type.ts'
import { UnreadableRecord } from './json-values.ts'
import { RowReader } from './row-reader.ts'

export interface FormatConversionOptions {
  /** A DataFormatConversionConfiguration that is enabled. */
  readonly configuration: JsonObject
  readonly tables: Tables
  readonly clock: Clock
}

export function formatConversion(options: FormatConversionOptions): Processor {
  const { configuration, tables, clock } = options
  const { SchemaConfiguration, InputFormatConfiguration } = configuration as FormatConversion
  const { Deserializer: deserializer } = InputFormatConfiguration
  return {
    async *process(records, job) {
      const schema = { ...(await findSchema(tables, SchemaConfiguration)), deserializer }
      const reader = openReader(schema)
      const dataCatalogTable = catalogTable(schema)
      job.setTableSchema(schema)
      for await (const group of records) {
        yield group.filter((record) => {
          const problem = problemOf(record.data, reader)
          if (problem === undefined) return true
          job.fail(record, {
            ...problem,
            errorOutputType: 'format-conversion-failed',
            attemptsMade: 1,
            atMs: clock.nowMs(),
            members: {
              sequenceNumber: encodeRecordId(job.batch.batchId, record.ordinal),
              subSequenceNumber: record.part ?? 0,
              dataCatalogTable,
            },
          })
          return false
        })
      }
    },
  }
}

/**
 * Whether records can be converted to the table that a configuration names, as it is now.
 * @throws ConfigurationError
 */
export async function checkFormatConversion(
  configuration: JsonObject,
  tables: Tables,
): Promise<void> {
  const { SchemaConfiguration, InputFormatConfiguration } = configuration as FormatConversion
  try {
    const schema = await tables.schema(SchemaConfiguration)
    void new RowReader(schema, InputFormatConfiguration.Deserializer)
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw new ConfigurationError(messageOf(error), { cause: error })
  }
}

/** Why no rows can be made of a record. */
function problemOf(
  data: Buffer,
  reader: RowReader,
): Pick<ProcessingFailure, 'errorCode' | 'errorMessage'> | undefined {
  try {
    for (const row of reader.rows(data)) void row
    return undefined
  } catch (error) {
    if (!(error instanceof UnreadableRecord)) throw error
    return { errorCode: error.errorCode, errorMessage: error.message }
  }
}

async function findSchema(tables: Tables, schemaConfiguration: JsonObject): Promise<TableSchema> {
  try {
    return await tables.schema(schemaConfiguration)
  } catch (error) {
    if (error instanceof ConfigurationError) throw schemaError(error)
    throw new DeliveryError('DataFormatConversion.SchemaUnavailable', messageOf(error), {
      retryable: true,
      effect: 'none',
      cause: error,
    })
  }
}

function openReader(schema: TableSchema & Pick<Required<TableSchema>, 'deserializer'>): RowReader {
  try {
    return new RowReader(schema, schema.deserializer)
  } catch (error) {
    if (error instanceof InvalidSchema) throw schemaError(error)
    throw error
  }
}

/** The records are not to blame: the stream waits until the table is mended. */
function schemaError(error: Error): DeliveryError {
  return new DeliveryError('DataFormatConversion.InvalidSchema', error.message, {
    retryable: true,
    effect: 'none',
    brake: true,
    cause: error,
  })
}

function catalogTable(schema: TableSchema): JsonObject {
  const { catalogId, databaseName, tableName, region, versionId } = schema
  const catalogArn = `arn:aws:glue:${region}:${catalogId}:catalog`
  return { catalogId, databaseName, tableName, region, versionId, catalogArn }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
