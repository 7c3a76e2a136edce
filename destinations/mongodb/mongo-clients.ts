import type { MongoClientOptions } from 'mongodb'
import { MongoClient } from 'mongodb'
import type { Connection, Connections } from '../../src/connections.ts'
import { DeliveryError } from '../../src/destination.ts'
import type { MongoDBConfiguration } from './configuration.ts'
import { deliveryError } from './write-failure.ts'

/** More than anybody has clusters, unless passwords rotate. */
const CLIENT_COUNT_MAX = 50
/** As many as a thread has batches in hand. */
const POOL_SIZE_MAX = 8
/** The engine comes again soon enough for a new primary. */
const SERVER_SELECTION_TIMEOUT_MS = 3_000
const CONNECT_TIMEOUT_MS = 10_000
/** Without a word from the server. */
const REPLY_TIMEOUT_MS = 60_000

type Credentials = Pick<Connection, 'username' | 'password'>

/** One client, with its pool of connections, for each cluster and user. */
export class MongoClients {
  readonly #connections: Connections
  readonly #clients = new Map<string, MongoClient>()

  constructor(connections: Connections) {
    this.#connections = connections
  }

  /** @throws DeliveryError */
  async open(configuration: MongoDBConfiguration): Promise<MongoClient> {
    const { ConnectionString } = configuration
    const connection = this.#connections.find(ConnectionString) ?? {}
    const credentials = (await this.#secret(configuration)) ?? connection
    const options = { ...tlsOptions(connection), ...authOptions(credentials) }
    const key = JSON.stringify([ConnectionString, options])
    const known = this.#clients.get(key)
    if (known !== undefined) return known
    if (this.#clients.size >= CLIENT_COUNT_MAX) await this.close()
    const client = makeClient(ConnectionString, options)
    this.#clients.set(key, client)
    return client
  }

  async close(): Promise<void> {
    const clients = [...this.#clients.values()]
    this.#clients.clear()
    await Promise.all(clients.map((client) => client.close()))
  }

  async #secret({
    SecretsManagerConfiguration,
  }: MongoDBConfiguration): Promise<Credentials | undefined> {
    const { Enabled = false, SecretARN = '' } = SecretsManagerConfiguration ?? {}
    if (!Enabled) return undefined
    try {
      const { username, password } = await this.#connections.secret(SecretARN)
      if (typeof username === 'string' && typeof password === 'string') {
        return { username, password }
      }
      throw new Error(`Cannot use secret ${SecretARN}: it needs username and password, both text`)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      const options = { retryable: true, effect: 'none', brake: true, cause: error } as const
      throw new DeliveryError('MongoDB.SecretUnavailable', message, options)
    }
  }
}

/** Connects when it is first used. */
function makeClient(connectionString: string, options: MongoClientOptions): MongoClient {
  try {
    return new MongoClient(connectionString, {
      ...options,
      appName: 'standpipe',
      writeConcern: { w: 'majority' },
      maxPoolSize: POOL_SIZE_MAX,
      connectTimeoutMS: CONNECT_TIMEOUT_MS,
      serverSelectionTimeoutMS: SERVER_SELECTION_TIMEOUT_MS,
      socketTimeoutMS: REPLY_TIMEOUT_MS,
      // When to try again is the engine's to say.
      maxAdaptiveRetries: 0,
    })
  } catch (error) {
    throw deliveryError(error)
  }
}

function authOptions({ username, password }: Credentials): MongoClientOptions {
  if (username === undefined) return {}
  return { auth: { username, ...(password !== undefined && { password }) } }
}

function tlsOptions({ tlsCa, tlsCertificate, tlsKey }: Connection): MongoClientOptions {
  if (tlsCa === undefined && tlsCertificate === undefined) return {}
  return {
    tls: true,
    ...(tlsCa !== undefined && { ca: tlsCa }),
    ...(tlsCertificate !== undefined && { cert: tlsCertificate }),
    ...(tlsKey !== undefined && { key: tlsKey }),
  }
}
