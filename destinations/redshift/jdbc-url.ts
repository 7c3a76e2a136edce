/**
 * ClusterJDBCURL: `jdbc:redshift://host:port/database` or `jdbc:postgresql://host:port/database`, and
 * here also `?sslmode=` with `disable`, `require` (encrypted, the server's certificate unchecked) or
 * `verify-full`.
 */
import { ConfigurationError } from '../../src/destination.ts'

export type SslMode = 'disable' | 'require' | 'verify-full'

export interface DatabaseAddress {
  /** Whether it is a Redshift cluster, which loads from S3 by itself, or any other Postgres. */
  readonly dialect: 'redshift' | 'postgres'
  readonly host: string
  readonly port: number
  readonly database: string
  /** Absent: not said. */
  readonly sslMode?: SslMode
}

const JDBC_URL =
  /^jdbc:(redshift|postgresql):\/\/(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]+)):(\d{1,5})\/([\w$-]+)(?:\?sslmode=(disable|require|verify-full))?$/
/** AWS's own names of clusters; its pattern lets them be written as jdbc:postgresql, too. */
const REDSHIFT_HOST = /\.redshift(?:-serverless)?\./

/** @throws ConfigurationError */
export function parseJdbcUrl(url: string): DatabaseAddress {
  const [, driver, address, name, port, database, sslMode] = JDBC_URL.exec(url) ?? []
  const host = address ?? name
  if (host === undefined || database === undefined || Number(port) > 65_535) {
    throw new ConfigurationError(
      `Invalid ClusterJDBCURL '${url}': jdbc:redshift://host:port/database or jdbc:postgresql://host:port/database is expected`,
    )
  }
  return {
    dialect: driver === 'redshift' || REDSHIFT_HOST.test(host) ? 'redshift' : 'postgres',
    host,
    port: Number(port),
    database,
    ...(sslMode !== undefined && { sslMode: sslMode as SslMode }),
  }
}
