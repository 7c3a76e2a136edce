/**
 * One connection to a database, for one attempt. Every statement has a limit in time; when it is
 * over, or the attempt is aborted, the connection is cut and the statement fails.
 */
import { Client } from 'pg'
import type { ClientConfig, QueryResult } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { Clock } from '../../src/base/clock.ts'
import type { JsonObject } from '../../src/base/json.ts'
import type { Connection, Connections } from '../../src/connections.ts'
import { DeliveryError } from '../../src/destination.ts'
import type { RedshiftConfiguration } from './configuration.ts'
import type { DatabaseFailure } from './failure.ts'
import { parseJdbcUrl } from './jdbc-url.ts'
import type { DatabaseAddress } from './jdbc-url.ts'

const CONNECT_MS_MAX = 15_000
const CLOSE_MS_MAX = 5_000

export interface SessionOptions {
  readonly configuration: RedshiftConfiguration
  readonly connections: Connections
  readonly clock: Clock
  /** Ends the attempt. */
  readonly signal: AbortSignal
  readonly statementMsMax: number
}

export class Session {
  readonly #client: Client
  readonly #options: SessionOptions

  private constructor(client: Client, options: SessionOptions) {
    this.#client = client
    this.#options = options
    // What breaks an idle connection is told by the next statement.
    client.on('error', () => {})
  }

  static async open(options: SessionOptions): Promise<Session> {
    const session = new Session(new Client(await clientOptions(options)), options)
    try {
      await session.#within(CONNECT_MS_MAX, session.#client.connect())
      return session
    } catch (error) {
      session.#client.connection.stream.destroy()
      throw error
    }
  }

  /** One statement, without parameters. */
  async query(text: string): Promise<QueryResult<Record<string, unknown>>> {
    return await this.#within(this.#options.statementMsMax, this.#client.query(text))
  }

  /** A `COPY … FROM STDIN` of these bytes. */
  async copy(text: string, bytes: Buffer): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const stream = this.#client.query(copyFrom(text))
    stream.on('finish', resolve)
    // For as long as the stream lives: after the first error it may have others about being cut short.
    stream.on('error', reject)
    stream.end(bytes)
    await this.#within(this.#options.statementMsMax, promise)
  }

  /** What was not committed is rolled back by the server. */
  async close(): Promise<void> {
    // Nothing more is at stake: a connection that can't be ended politely is cut.
    await this.#within(CLOSE_MS_MAX, this.#client.end()).catch(() => {})
  }

  async #within<Result>(limitMs: number, work: Promise<Result>): Promise<Result> {
    const { clock, signal } = this.#options
    const over = new AbortController()
    const cut = clock.sleep(limitMs, AbortSignal.any([over.signal, signal])).then(() => {
      if (over.signal.aborted) return false
      this.#client.connection.stream.destroy()
      return true
    })
    try {
      return await work
    } catch (error) {
      over.abort()
      if (!(await cut)) throw error
      throw cutError(
        signal.aborted ? 'the attempt was aborted' : 'the database did not answer',
        error,
      )
    } finally {
      over.abort()
    }
  }
}

/** As far as we know, the connection was lost. */
function cutError(message: string, cause: unknown): DatabaseFailure {
  return new Error(message, { cause })
}

async function clientOptions({
  configuration,
  connections,
}: SessionOptions): Promise<ClientConfig> {
  const { ClusterJDBCURL } = configuration
  const connection = connections.find(ClusterJDBCURL) ?? {}
  if (connection.proxy !== undefined) {
    throw unusable('Redshift.ConnectionFailed', 'databases are not reached through a proxy')
  }
  const secret = await secretOf(configuration, connections)
  const user = secret.username ?? configuration.Username ?? connection.username
  const password = secret.password ?? configuration.Password ?? connection.password ?? ''
  if (typeof user !== 'string' || typeof password !== 'string') {
    throw unusable('Redshift.AuthenticationFailed', 'there is no username and password for it')
  }
  const address = parseJdbcUrl(ClusterJDBCURL)
  return {
    host: address.host,
    port: address.port,
    database: address.database,
    user,
    // A function, so that an empty one is not looked for in the environment.
    password: () => password,
    application_name: 'standpipe',
    keepAlive: true,
    ssl: sslOptions(address, connection),
  }
}

async function secretOf(
  { SecretsManagerConfiguration }: RedshiftConfiguration,
  connections: Connections,
): Promise<JsonObject> {
  const { Enabled = false, SecretARN } = SecretsManagerConfiguration ?? {}
  if (!Enabled || SecretARN === undefined) return {}
  try {
    return await connections.secret(SecretARN)
  } catch (error) {
    throw unusable('Redshift.AuthenticationFailed', (error as Error).message)
  }
}

/** Encrypted and checked where nothing else is said, except on a Postgres without certificates. */
function sslOptions(
  { dialect, sslMode }: DatabaseAddress,
  { tlsCa, tlsCertificate, tlsKey }: Connection,
): ClientConfig['ssl'] {
  const isPlain = dialect === 'postgres' && tlsCa === undefined && tlsCertificate === undefined
  const mode = sslMode ?? (isPlain ? 'disable' : 'verify-full')
  if (mode === 'disable') return false
  return {
    rejectUnauthorized: mode === 'verify-full',
    ...(tlsCa !== undefined && { ca: tlsCa }),
    ...(tlsCertificate !== undefined && { cert: tlsCertificate }),
    ...(tlsKey !== undefined && { key: tlsKey }),
  }
}

/** Nothing was sent, and it takes an operator. */
function unusable(errorCode: string, reason: string): DeliveryError {
  return new DeliveryError(errorCode, `Cannot connect to the database: ${reason}`, {
    retryable: true,
    effect: 'none',
    brake: true,
  })
}
