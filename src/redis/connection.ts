import { Cluster, Redis } from 'ioredis'
import type { Logger } from '../base/logger.ts'
import { BackendUnavailable } from '../backend.ts'
import type { RedisPlace } from '../backend.ts'
import type { RedisClient } from './scripts.ts'

/** A connection is tried again after this, then after twice as long, and so on. */
const RECONNECT_FIRST_MS = 50
const RECONNECT_MAX_MS = 1_000
/** What the names of all our connections begin with. */
export const CONNECTION_NAME_PREFIX = 'standpipe-'
const CONNECT_TIMEOUT_MS = 5_000
/** A host that has vanished answers no more; longer than any WAIT. */
const ANSWER_TIMEOUT_MS = 15_000
/** A cluster that moves a slot answers TRYAGAIN for as long as keys of it are on their way. */
const REDIRECTIONS_MAX = 200
const TRY_AGAIN_MS = 25

export interface ConnectionOptions {
  readonly place: RedisPlace
  /** What it is for; shown by CLIENT LIST. */
  readonly name: string
  readonly logger: Logger
}

/**
 * A client that reconnects for ever. Commands wait while there is no connection, and fail after a few
 * attempts to get one. A command whose answer was lost with the connection fails on a single server; a
 * cluster's client sends it again: so each script must bear to be run twice.
 */
export function connect({ place, name, logger }: ConnectionOptions): RedisClient {
  const client = place.kind === 'cluster' ? cluster(place, name) : single(place, name)
  let isDown = false
  client.on('error', (error: Error) => {
    if (!isDown) logger.warn({ name, error: error.message }, 'The connection to Redis is broken.')
    isDown = true
  })
  client.on('ready', () => {
    if (isDown) logger.info({ name }, 'The connection to Redis is there again.')
    isDown = false
  })
  if (client instanceof Redis) client.on('close', () => failUnanswered(client))
  return client
}

/** What a connection takes along when it breaks is otherwise forgotten by the client, and never settles. */
function failUnanswered(client: Redis): void {
  const { flushQueue } = client as unknown as {
    readonly flushQueue: (error: Error, which: { readonly offlineQueue: boolean }) => void
  }
  const error = new BackendUnavailable('Connection is closed.')
  flushQueue.call(client, error, { offlineQueue: false })
}

/** Ends a client without waiting for what it is still asked. */
export function disconnect(client: RedisClient): void {
  client.disconnect()
}

/** Of each connection. */
function optionsOf(place: RedisPlace, name: string) {
  const { tls, certificates, username, password, database } = place
  return {
    connectionName: CONNECTION_NAME_PREFIX + name,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    db: database,
    ...(tls && { tls: { ...certificates } }),
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: ANSWER_TIMEOUT_MS,
    retryStrategy: reconnectDelayMs,
    autoResendUnfulfilledCommands: false,
    // The client would do it without an ear for its failure, which would end the process (subscription.ts).
    autoResubscribe: false,
    maxRetriesPerRequest: 5,
    // A master that was replaced answers writes with READONLY: the client must look again.
    reconnectOnError: (error: Error): boolean => error.message.startsWith('READONLY'),
  }
}

function reconnectDelayMs(attempt: number): number {
  return Math.min(RECONNECT_FIRST_MS * 2 ** (attempt - 1), RECONNECT_MAX_MS)
}

function single(place: RedisPlace, name: string): Redis {
  const [node] = place.nodes
  if (place.kind === 'sentinel') {
    return new Redis({
      ...optionsOf(place, name),
      sentinels: place.nodes.map(({ host, port }) => ({ host, port })),
      name: place.masterName ?? '',
      ...(place.tls && { enableTLSForSentinelMode: true }),
    })
  }
  return new Redis({ ...optionsOf(place, name), host: node?.host ?? '', port: node?.port ?? 0 })
}

function cluster(place: RedisPlace, name: string): Cluster {
  const { db: _database, retryStrategy: _retry, ...redisOptions } = optionsOf(place, name)
  return new Cluster(
    place.nodes.map(({ host, port }) => ({ host, port })),
    {
      redisOptions,
      clusterRetryStrategy: reconnectDelayMs,
      maxRedirections: REDIRECTIONS_MAX,
      retryDelayOnTryAgain: TRY_AGAIN_MS,
      retryDelayOnClusterDown: 100,
      // Names of nodes as the cluster tells them need not be known to DNS in a container network.
      enableReadyCheck: true,
    },
  )
}
