/**
 * Whether a Redis keeps what is put into it, looked at once at the start. What is certain to lose records
 * is refused; what may be right, or can't be seen, is said in the log.
 *
 * - maxmemory-policy must be noeviction: any other forgets records to make room for new ones.
 * - `always` and `everysec` need appendonly, and appendfsync at least as strong. no-appendfsync-on-rewrite
 *   suspends both for as long as the log is rewritten (flushAppendOnlyFile in aof.c).
 * - INFO tells most of it. Managed services forbid CONFIG; then what it alone tells is not checked.
 */
import { Cluster } from 'ioredis'
import type { Redis } from 'ioredis'
import type { RedisPlace } from '../backend.ts'
import type { Logger } from '../base/logger.ts'
import type { Acknowledge } from './durable-scripts.ts'
import type { RedisClient } from './scripts.ts'

const VERSION_MIN = [6, 2] as const
/** A server that is just starting is there by then. */
const CONNECTION_ERRORS_MAX = 5

export interface ServerCheckOptions {
  readonly client: RedisClient
  readonly place: RedisPlace
  readonly acknowledge: Acknowledge
  readonly logger: Logger
}

/** Of a cluster: the oldest version, the least memory, the fullest server. */
export interface ServerFacts {
  /** As the server calls itself, e.g. `redis 7.0.15`, `valkey 8.1.8`. */
  readonly version: string
  /** Undefined: it has no limit, or does not tell. */
  readonly maxmemoryBytes: number | undefined
  readonly usedBytes: number
}

/** What one server says of itself. */
interface Server {
  readonly info: ReadonlyMap<string, string>
  /** `appendfsync` and such; undefined where CONFIG is forbidden. */
  readonly config: ReadonlyMap<string, string> | undefined
  readonly hasWaitAof: boolean
}

/** @throws Error that says what is to be set otherwise, without the password */
export async function checkServer(options: ServerCheckOptions): Promise<ServerFacts> {
  const { client, place, acknowledge, logger } = options
  const where = place.nodes.map(({ host, port }) => `${host}:${port}`).join(', ')
  const refuse = (reason: string): never => {
    throw new Error(`Cannot use Redis at ${where}: ${reason}`)
  }
  const servers = await answersOf(client).catch((error: Error) => refuse(messageOf(error)))
  for (const server of servers) {
    const refusal = refusalOf(server, place, acknowledge)
    if (refusal !== undefined) refuse(refusal)
  }
  const warnings = new Set(servers.flatMap((server) => warningsOf(server, acknowledge)))
  for (const warning of warnings) logger.warn({ redis: where }, warning)
  return factsOf(servers)
}

/** Why a server can't be used at all; undefined when it can. */
function refusalOf(
  { info, config, hasWaitAof }: Server,
  place: RedisPlace,
  { fsync, waitAof }: Acknowledge,
): string | undefined {
  const version = info.get('redis_version') ?? ''
  if (!isAtLeast(version, VERSION_MIN)) {
    return `its version is ${version || 'unknown'}, and must be ${VERSION_MIN.join('.')} or later`
  }
  if (place.kind !== 'cluster' && info.get('cluster_enabled') === '1') {
    return 'it belongs to a cluster; the backend must be redis+cluster://…'
  }
  if (info.get('role') === 'slave') return 'it is a replica; the backend must name its master'
  if (info.get('cluster_state') === 'fail') {
    return 'its cluster is down; CLUSTER INFO tells which slots nobody serves'
  }
  const policy = info.get('maxmemory_policy') ?? config?.get('maxmemory-policy') ?? 'noeviction'
  if (policy !== 'noeviction') {
    return `its maxmemory-policy is ${policy}, which forgets records; set it to noeviction`
  }
  const isLogged = info.get('aof_enabled') !== '0'
  if (waitAof && !hasWaitAof) {
    return 'it has no WAITAOF (Redis 7.2, Valkey); set redisWaitAof to false'
  }
  if (waitAof && !isLogged) return 'it has no log to wait for; set appendonly to yes'
  if (waitAof && config?.get('appendfsync') === 'no') {
    return 'its appendfsync is no, with which WAITAOF is never fulfilled; set it to everysec'
  }
  return fsync === 'none' ? undefined : refusalOfLog(isLogged, config, fsync)
}

function refusalOfLog(
  isLogged: boolean,
  config: Server['config'],
  fsync: 'always' | 'everysec',
): string | undefined {
  const otherwise = ', or redisFsync to what you accept to lose'
  if (!isLogged) return `it has no log; set appendonly to yes${otherwise}`
  const appendfsync = config?.get('appendfsync')
  const isWeaker = appendfsync === 'no' || (appendfsync === 'everysec' && fsync === 'always')
  if (isWeaker) return `its appendfsync is ${appendfsync}; set it to ${fsync}${otherwise}`
  if (fsync === 'always' && config?.get('no-appendfsync-on-rewrite') === 'yes') {
    return `it does not sync its log while it rewrites it; set no-appendfsync-on-rewrite to no${otherwise}`
  }
  return undefined
}

function warningsOf(
  { info, config }: Server,
  { fsync, replicas, waitAof }: Acknowledge,
): readonly string[] {
  const warnings: string[] = []
  if (config === undefined && fsync !== 'none') {
    warnings.push(
      'Redis does not tell its configuration, so that appendfsync is as redisFsync says could not be checked.',
    )
  }
  if (fsync === 'none' && !waitAof) {
    warnings.push(
      'redisFsync is none: records that were acknowledged are lost when Redis and its replicas die.',
    )
  }
  if (fsync === 'everysec' && config?.get('no-appendfsync-on-rewrite') === 'yes') {
    warnings.push(
      'Redis does not sync its log while it rewrites it: more than a second can be lost then.',
    )
  }
  if (Number(info.get('connected_slaves') ?? 0) < replicas) {
    warnings.push('Redis has fewer replicas than redisReplicas: puts fail until it has them.')
  }
  if (Number(info.get('maxmemory') ?? 0) === 0) {
    warnings.push(
      'Redis has no maxmemory: set it below what its host can spare, so that puts are refused ' +
        'before the host runs out of memory.',
    )
  }
  return warnings
}

function factsOf(servers: readonly Server[]): ServerFacts {
  const bytesOf = (field: string): number[] =>
    servers.map(({ info }) => Number(info.get(field) ?? 0))
  const limits = bytesOf('maxmemory').filter((bytes) => bytes > 0)
  const [oldest] = servers.map(({ info }) => info).toSorted(byVersion)
  return {
    version: oldest === undefined ? 'unknown' : versionOf(oldest),
    maxmemoryBytes: limits.length === 0 ? undefined : Math.min(...limits),
    usedBytes: Math.max(...bytesOf('used_memory')),
  }
}

/** What the servers say, or what is the matter with the connection, which itself is tried for ever. */
async function answersOf(client: RedisClient): Promise<readonly Server[]> {
  const failed = Promise.withResolvers<never>()
  let errorCount = 0
  const note = (error: Error): void => {
    errorCount += 1
    if (errorCount === CONNECTION_ERRORS_MAX) failed.reject(error)
  }
  client.on('error', note)
  try {
    return await Promise.race([describe(client), failed.promise])
  } finally {
    client.off('error', note)
  }
}

/** All masters. */
async function describe(client: RedisClient): Promise<readonly Server[]> {
  if (!(client instanceof Cluster)) return [await describeServer(client, '')]
  // Waits until the client knows the nodes.
  const state = await client.cluster('INFO')
  return Promise.all(client.nodes('master').map((node) => describeServer(node, state)))
}

async function describeServer(client: Redis, state: string): Promise<Server> {
  const info = parseInfo(`${await client.info()}\n${state}`)
  return { info, config: await configOf(client), hasWaitAof: await hasCommand(client, 'waitaof') }
}

async function configOf(client: Redis): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const config = new Map<string, string>()
    for (const name of ['appendfsync', 'no-appendfsync-on-rewrite', 'maxmemory-policy']) {
      const [, value] = await client.config('GET', name)
      if (value !== undefined) config.set(name, value)
    }
    return config
  } catch (error) {
    if (isRefused(error)) return undefined
    throw error
  }
}

/** Where the server may not say, it is believed to have it: whoever asked for it will hear. */
async function hasCommand(client: Redis, name: string): Promise<boolean> {
  try {
    const [found] = await client.command('INFO', name)
    return found !== null && found !== undefined
  } catch (error) {
    if (isRefused(error)) return true
    throw error
  }
}

/** The server has heard the command and does not run it, for want of a permission or of the command. */
function isRefused(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}

function parseInfo(text: string): ReadonlyMap<string, string> {
  const lines = text.split(/\r?\n/).map((line) => /^([^:#]+):(.*)$/.exec(line))
  return new Map(lines.flatMap((match) => (match ? [[match[1] ?? '', match[2] ?? '']] : [])))
}

/** Of several that answer to the name of Redis, by their own version. */
function versionOf(info: ReadonlyMap<string, string>): string {
  for (const name of ['valkey', 'dragonfly']) {
    const version = info.get(`${name}_version`)
    if (version !== undefined) return `${name} ${version}`
  }
  return `redis ${info.get('redis_version') ?? 'unknown'}`
}

function byVersion(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): number {
  const [a = '', b = ''] = [one.get('redis_version'), other.get('redis_version')]
  return a.localeCompare(b, 'en', { numeric: true })
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

/** Of an error of a connection; that of one to several addresses has no message of its own. */
function messageOf(error: Error): string {
  const { lastNodeError } = error as { lastNodeError?: Error }
  const { message, code } = (lastNodeError ?? error) as NodeJS.ErrnoException
  return message === '' ? (code ?? 'it does not answer') : message
}
