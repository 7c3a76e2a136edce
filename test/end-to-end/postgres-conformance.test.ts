/** The conformance suite of destinations before a real Postgres. */
import { Client } from 'pg'
import { afterAll, describe } from 'vitest'
import { available } from '../clients/available.ts'
import { startPostgres } from '../servers/postgres.ts'
import type { PostgresServer } from '../servers/postgres.ts'
import { describeDestination } from './destination-conformance.ts'
import type { DestinationUnderTest, StreamPlace } from './destination-conformance.ts'

const postgres = await startPostgres()

describe.runIf(available('Postgres', postgres !== undefined))('Postgres', () => {
  let client: Client | undefined
  afterAll(async () => {
    await client?.end()
    await postgres?.[Symbol.asyncDispose]()
  })

  describeDestination(async () => {
    const server = postgres as PostgresServer
    const { host, port, database, user, password } = server
    client = new Client({ host, port, database, user, password })
    await client.connect()
    return postgresUnderTest(server, client)
  })
})

function postgresUnderTest(server: PostgresServer, client: Client): DestinationUnderTest {
  return {
    name: 'Postgres',
    port: server.port,
    async prepare(place) {
      await client.query(
        `CREATE TABLE ${tableOf(place)} (id text, padding text, n integer NOT NULL)`,
      )
    },
    create: (place) => ({
      RedshiftDestinationConfiguration: {
        RoleARN: 'arn:aws:iam::000000000000:role/firehose',
        ClusterJDBCURL: `jdbc:postgresql://127.0.0.1:${place.port}/${server.database}`,
        Username: server.user,
        Password: server.password,
        CopyCommand: { DataTableName: tableOf(place), CopyOptions: "JSON 'auto'" },
        RetryOptions: { DurationInSeconds: place.retrySeconds },
        S3Configuration: {
          ...place.S3Configuration,
          BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 1 },
        },
      },
    }),
    update: ({ retrySeconds }) => ({
      RedshiftDestinationUpdate: { RetryOptions: { DurationInSeconds: retrySeconds + 1 } },
    }),
    // The end of the statement: an isolation level is called READ COMMITTED.
    effectMarker: 'COMMIT\0',
    record: (id, padding) => `${JSON.stringify({ id, padding, n: 1 })}\n`,
    poison: (id) => `${JSON.stringify({ id, n: 'many' })}\n`,
    async delivered(place) {
      const { rows } = await client.query<{ id: string }>(`SELECT id FROM ${tableOf(place)}`)
      return rows.map(({ id }) => id)
    },
    exactlyOnce: true,
    errorOutputType: 'errors',
  }
}

function tableOf({ streamName }: StreamPlace): string {
  return streamName.replace('-', '_')
}
