/** What tests of loads into a real Postgres need: the server, and a table for each test. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, expect } from 'vitest'
import { redshift } from '../../destinations/redshift/index.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { NO_CONNECTIONS } from '../../src/connections.ts'
import type { Connections } from '../../src/connections.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import { DeliveryError } from '../../src/destination.ts'
import type { Destination } from '../../src/destination.ts'
import { FolderObjectStore } from '../../src/objects/folder-object-store.ts'
import { batchOf, deliverByHand, streamOf } from '../fakes/hand-delivery.ts'
import { startPostgres } from '../servers/postgres.ts'
import type { PostgresServer } from '../servers/postgres.ts'

const ROLE = 'arn:aws:iam::000000000000:role/delivery'

/** Undefined where none can be had. */
export const postgres = await startPostgres()
/** Where the buckets are. */
export const folder = await mkdtemp(join(tmpdir(), 'postgres-test-'))
afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

/** A table, and a destination for it. */
export class Table implements AsyncDisposable {
  static #count = 0
  readonly name: string
  readonly #schema: string | undefined
  readonly #client: Client
  readonly destination: Destination

  private constructor(client: Client, schema: string | undefined, connections: Connections) {
    Table.#count += 1
    this.name = `events_${process.pid}_${Table.#count}`
    this.#schema = schema && `${schema}_${process.pid}`
    this.#client = client
    const objectStore = new FolderObjectStore({ root: folder, clock: systemClock })
    this.destination = redshift.open({
      objectStore,
      objectReader: objectStore,
      connections,
      clock: systemClock,
      logger: silentLogger,
    })
  }

  static async create(
    columns: string,
    schema?: string,
    connections: Connections = NO_CONNECTIONS,
  ): Promise<Table> {
    const { host, port, database, user, password } = required(postgres)
    const client = new Client({ host, port, database, user, password })
    await client.connect()
    const table = new Table(client, schema, connections)
    if (table.#schema !== undefined) await table.run(`CREATE SCHEMA ${table.#schema}`)
    await table.run(`CREATE TABLE ${table.#sqlName} (${columns})`)
    return table
  }

  get #sqlName(): string {
    return this.#schema === undefined ? this.name : `${this.#schema}.${this.name}`
  }

  async run(text: string): Promise<void> {
    await this.#client.query(text)
  }

  async rows(columns: string): Promise<readonly object[]> {
    const { rows } = await this.#client.query<object>(
      `SELECT ${columns} FROM ${this.#sqlName} ORDER BY 1`,
    )
    return rows
  }

  stream(
    { CompressionFormat = 'UNCOMPRESSED', ...copyCommand }: JsonObject,
    server: PostgresServer = required(postgres),
  ): DeliveryStream {
    const base = configurationOf(server)
    const configuration = {
      ...base,
      S3Configuration: { ...base.S3Configuration, CompressionFormat },
      CopyCommand: { DataTableName: this.#sqlName, ...copyCommand },
    }
    return streamOf(redshift, created(configuration))
  }

  async deliver(records: readonly (string | Buffer)[], copyCommand: JsonObject) {
    return await deliverByHand(this.destination, this.stream(copyCommand), batchOf(records))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(`DROP TABLE ${this.#sqlName}`)
    if (this.#schema !== undefined) await this.run(`DROP SCHEMA ${this.#schema} CASCADE`)
    await this.#client.end()
    await this.destination.close()
  }
}

export function configurationOf({ host, port, database, user, password }: PostgresServer) {
  return {
    RoleARN: ROLE,
    ClusterJDBCURL: `jdbc:postgresql://${host}:${port}/${database}`,
    Username: user,
    Password: password,
    S3Configuration: { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::staging' },
  }
}

export function created(configuration: JsonObject): JsonObject {
  const context = { strictAws: false, objectStoreKind: 'folder' } as const
  return redshift.create('RedshiftDestinationConfiguration', configuration, context)
}

export function refused(ordinal: number, errorCode: string, errorMessage: unknown) {
  return { ordinal, errorCode, errorMessage, retryable: false, effect: 'none' }
}

export async function failureOf(promise: Promise<unknown>): Promise<DeliveryError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(DeliveryError)
  return error as DeliveryError
}

export function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('Cannot test: it is missing')
  return value
}
