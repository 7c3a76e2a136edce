import type { EventEmitter } from 'node:events'
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
/** Commands wait for so many attempts to connect. */
const ATTEMPTS_MAX = 6
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
  if (client instanceof Redis) {
    client.on('close', () => failUnanswered(client))
    hearEveryError(client)
  } else {
    client.on('+node', hearEveryError)
  }
  if (place.kind !== 'single') failWaiting(client)
  return client
}

/** What a connection takes along when it breaks is otherwise forgotten by the client, and never settles. */
function failUnanswered(client: Redis): void {
  internalsOf(client).flushQueue(closed(), { offlineQueue: false })
}

/** TLS may tell of two errors of one connection; the client hears one, and the other would end the process. */
function hearEveryError(client: Redis): void {
  client.on('error', () => {
    const { stream } = internalsOf(client)
    if (stream?.listenerCount('error') === 0) stream.on('error', () => undefined)
  })
}

/** A client of one server sees to this itself. The others tell of each attempt with an error. */
function failWaiting(client: RedisClient): void {
  let attemptCount = 0
  client.on('ready', () => {
    attemptCount = 0
  })
  client.on('error', () => {
    attemptCount += 1
    if (attemptCount % ATTEMPTS_MAX === 0) internalsOf(client).flushQueue(closed())
  })
}

/** Ends a client. What it is still asked fails soon, and what it is asked from now on. */
export function disconnect(client: RedisClient): void {
  const isBetweenAttempts =
    client instanceof Cluster ? client.nodes().length === 0 : client.status === 'reconnecting'
  client.disconnect()
  if (!isBetweenAttempts) return
  // The client learns from the end of its connections that it has ended itself. Here there are none.
  const internals = internalsOf(client)
  internals.setStatus('end')
  internals.flushQueue(closed())
}

function closed(): BackendUnavailable {
  return new BackendUnavailable('Connection is closed.')
}

interface Internals {
  /** Of a client of one server, once it has tried to connect. */
  readonly stream?: EventEmitter
  setStatus(status: 'end'): void
  /** Fails what waits for a connection, and, of a single server's client, for an answer. */
  flushQueue(error: Error, which?: { readonly offlineQueue: boolean }): void
}

function internalsOf(client: RedisClient): Internals {
  return client as unknown as Internals
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
    maxRetriesPerRequest: ATTEMPTS_MAX - 1,
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
      sentinelRetryStrategy: reconnectDelayMs,
      sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
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
