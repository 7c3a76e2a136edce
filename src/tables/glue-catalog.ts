/** Asks a Glue Data Catalog, AWS's or one that speaks like it, what columns a table has. */
import type { GlueClient, Table } from '@aws-sdk/client-glue'
import { ConfigurationError } from '../destination.ts'
import type { TableColumn } from '../table-schema.ts'
import { columnsOfDefinition } from './glue-definition.ts'

export interface TableName {
  readonly region: string
  /** Absent: the account's own. */
  readonly catalogId?: string
  readonly databaseName: string
  readonly tableName: string
  /** A number, or `LATEST`. */
  readonly versionId: string
}

const REQUEST_TIMEOUT_MS = 10_000

export class GlueCatalog {
  readonly #endpoint: string | undefined
  readonly #clients = new Map<string, Promise<GlueClient>>()

  constructor(endpoint: string | undefined) {
    this.#endpoint = endpoint
  }

  /**
   * @throws ConfigurationError when there are no credentials, or no such table
   * @throws Error when it can't be asked now
   */
  async columns(name: TableName): Promise<readonly TableColumn[]> {
    try {
      return columnsOfDefinition(await this.#table(name))
    } catch (error) {
      if (error instanceof ConfigurationError) throw error
      const { name: kind, message } = error as Error
      const { databaseName, tableName } = name
      const subject = `Cannot get the table ${databaseName}.${tableName} from ${this.#place()}`
      if (kind === 'CredentialsProviderError') {
        throw new ConfigurationError(`${subject}: there are no AWS credentials`, { cause: error })
      }
      if (kind === 'EntityNotFoundException') {
        throw new ConfigurationError(`${subject}: ${message}`, { cause: error })
      }
      throw new Error(`${subject}: ${kind}: ${message}`, { cause: error })
    }
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) (await client).destroy()
    this.#clients.clear()
  }

  async #table(name: TableName): Promise<Table | undefined> {
    const { databaseName: DatabaseName, tableName, catalogId, versionId } = name
    const { GetTableCommand, GetTableVersionCommand } = await import('@aws-sdk/client-glue')
    const client = await this.#client(name.region)
    const catalog = catalogId === undefined ? {} : { CatalogId: catalogId }
    if (versionId === 'LATEST') {
      const command = new GetTableCommand({ DatabaseName, Name: tableName, ...catalog })
      return (await client.send(command)).Table
    }
    const command = new GetTableVersionCommand({
      DatabaseName,
      TableName: tableName,
      VersionId: versionId,
      ...catalog,
    })
    return (await client.send(command)).TableVersion?.Table
  }

  /** The library is loaded when it is needed first: most services need it never. */
  #client(region: string): Promise<GlueClient> {
    const known = this.#clients.get(region)
    if (known !== undefined) return known
    const made = import('@aws-sdk/client-glue').then(
      ({ GlueClient: Client }) =>
        new Client({
          region,
          ...(this.#endpoint !== undefined && { endpoint: this.#endpoint }),
          requestHandler: {
            connectionTimeout: REQUEST_TIMEOUT_MS,
            requestTimeout: REQUEST_TIMEOUT_MS,
            throwOnRequestTimeout: true,
          },
        }),
    )
    this.#clients.set(region, made)
    return made
  }

  #place(): string {
    return this.#endpoint === undefined ? 'AWS Glue' : `Glue at ${this.#endpoint}`
  }
}
