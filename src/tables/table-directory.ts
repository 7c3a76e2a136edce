/** Where a table's columns are had from: the settings, else a Glue Data Catalog. */
import type { Clock } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import type { Logger } from '../base/logger.ts'
import { ConfigurationError } from '../destination.ts'
import type { TableColumn, TableSchema, Tables } from '../table-schema.ts'
import { columnsOfCreateTable } from './create-table.ts'
import { GlueCatalog } from './glue-catalog.ts'
import type { TableName } from './glue-catalog.ts'
import { columnsOfDefinition } from './glue-definition.ts'

/** A table that the settings know, described in one of two ways. */
export interface TableSetting {
  readonly database: string
  readonly table: string
  /** A Hive or Athena `CREATE TABLE` text. */
  readonly createTable?: string
  /** What Glue's GetTable answers. */
  readonly definition?: JsonObject
}

export interface TableDirectoryOptions {
  readonly tables: readonly TableSetting[]
  readonly glue: {
    /** Absent: AWS's, when there are credentials. */
    readonly endpoint?: string
  }
  readonly region: string
  readonly accountId: string
  readonly clock: Clock
  readonly logger: Logger
}

interface CachedColumns {
  readonly askedAtMs: number
  readonly columns: Promise<readonly TableColumn[]>
}

/** How long an answer of Glue is good. */
const CACHED_MS = 300_000

export class TableDirectory implements Tables {
  readonly #options: TableDirectoryOptions
  readonly #columns: ReadonlyMap<string, readonly TableColumn[]>
  readonly #catalog: GlueCatalog
  readonly #cache = new Map<string, CachedColumns>()

  /** @throws ConfigurationError when the columns of a table in the settings can't be read */
  constructor(options: TableDirectoryOptions) {
    this.#options = options
    this.#columns = new Map(options.tables.map((table) => [settingKey(table), columnsOf(table)]))
    this.#catalog = new GlueCatalog(options.glue.endpoint)
  }

  async schema(schemaConfiguration: JsonObject): Promise<TableSchema> {
    const name = this.#nameOf(schemaConfiguration)
    const { databaseName: database, tableName: table } = name
    const columns = this.#columns.get(settingKey({ database, table })) ?? (await this.#cached(name))
    return { ...name, catalogId: name.catalogId ?? this.#options.accountId, columns }
  }

  close(): Promise<void> {
    return this.#catalog.close()
  }

  #nameOf(schemaConfiguration: JsonObject): TableName {
    const { Region, CatalogId, DatabaseName, TableName, VersionId } =
      schemaConfiguration as Readonly<Record<string, string | undefined>>
    return {
      region: Region ?? this.#options.region,
      ...(CatalogId !== undefined && { catalogId: CatalogId }),
      databaseName: DatabaseName ?? '',
      tableName: TableName ?? '',
      versionId: VersionId ?? 'LATEST',
    }
  }

  /** Who asks while an answer is under way gets the same. What failed is not kept. */
  #cached(name: TableName): Promise<readonly TableColumn[]> {
    const key = JSON.stringify(Object.entries(name))
    const nowMs = this.#options.clock.monotonicMs()
    for (const [other, { askedAtMs }] of this.#cache) {
      if (nowMs - askedAtMs >= CACHED_MS) this.#cache.delete(other)
    }
    const cached = this.#cache.get(key)
    if (cached !== undefined) return cached.columns
    const columns = this.#ask(name)
    this.#cache.set(key, { askedAtMs: nowMs, columns })
    columns.catch(() => {
      if (this.#cache.get(key)?.columns === columns) this.#cache.delete(key)
    })
    return columns
  }

  async #ask(name: TableName): Promise<readonly TableColumn[]> {
    const { databaseName, tableName } = name
    try {
      const columns = await this.#catalog.columns(name)
      const fields = { databaseName, tableName, columnCount: columns.length }
      this.#options.logger.debug(fields, 'Got a table from the Glue Data Catalog')
      return columns
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      throw new ConfigurationError(
        `The table ${databaseName}.${tableName} is not known: ` +
          'describe it by createTable or definition in the setting tables, or name a Glue Data ' +
          `Catalog that has it by glueEndpoint (${error.message})`,
        { cause: error },
      )
    }
  }
}

function columnsOf(setting: TableSetting): readonly TableColumn[] {
  try {
    return setting.createTable === undefined
      ? columnsOfDefinition(setting.definition)
      : columnsOfCreateTable(setting.createTable)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    throw new ConfigurationError(
      `Cannot use the table ${setting.database}.${setting.table} in the settings: ${error.message}`,
      { cause: error },
    )
  }
}

/** Glue and Hive know names in lower case only. */
function settingKey({ database, table }: Pick<TableSetting, 'database' | 'table'>): string {
  return JSON.stringify([database.toLowerCase(), table.toLowerCase()])
}
