import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Pool } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { startPostgres } from '../../test/servers/postgres.ts'
import { BufferingHints, S3Configuration } from './destination-bench.ts'
import type { DestinationPlan } from './destination-bench.ts'

/** A column for each member of the records, in their order. */
const TABLE = `CREATE TABLE bench (
  "timestamp" text, level text, sequence bigint, service text, instance text, trace_id text,
  span_id text, message text, http jsonb, kubernetes jsonb, source jsonb, tenant text,
  feature_flags jsonb, session text, detail text
)`

export const postgres: DestinationPlan = {
  name: 'Postgres',
  recordCount: 100_000,
  needs: 'Postgres, or npm for its programs',
  async open() {
    const server = await startPostgres()
    if (server === undefined) return undefined
    const { host, port, database, user, password } = server
    const pool = new Pool({ host, port, database, user, password })
    // When the server stops before all have said goodbye.
    pool.on('error', () => undefined)
    await pool.query(TABLE)
    return {
      stream: {
        RedshiftDestinationConfiguration: {
          RoleARN: S3Configuration.RoleARN,
          ClusterJDBCURL: `jdbc:postgresql://${host}:${port}/${database}`,
          Username: user,
          Password: password,
          CopyCommand: { DataTableName: 'bench', CopyOptions: "JSON 'auto'" },
          S3Configuration: { ...S3Configuration, BufferingHints },
        },
      },
      bareSends: async (batches) =>
        batches.map((batch) => {
          const rows = Buffer.from(batch.map(copyRow).join(''))
          return async () => {
            const client = await pool.connect()
            try {
              const copy = client.query(copyFrom('COPY bench FROM STDIN'))
              await pipeline(Readable.from([rows]), copy)
            } finally {
              client.release()
            }
          }
        }),
      async [Symbol.asyncDispose]() {
        await pool.end()
        await server[Symbol.asyncDispose]()
      },
    }
  },
}

/** None of the records' values has a character that COPY would want escaped. */
function copyRow(record: Buffer): string {
  const members = JSON.parse(record.toString()) as Record<string, string | number | object>
  const fields = Object.values(members).map((value) =>
    typeof value === 'object' ? JSON.stringify(value) : String(value),
  )
  return `${fields.join('\t')}\n`
}
