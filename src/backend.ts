/**
 * Where batches, queue and catalog are kept: in this process and its data directory, or in a Redis that
 * any number of processes share.
 *
 *   embedded
 *   redis://[user[:password]@]host[:port][/database]            one server
 *   redis+sentinel://[…@]host[:port],host…/master[/database]    the master that the sentinels name
 *   redis+cluster://[…@]host[:port],host…                       a cluster, found from any of its nodes
 *
 * `rediss` instead of `redis` speaks TLS. `?prefix=name` keeps services apart that share a Redis.
 */
export interface RedisNode {
  readonly host: string
  readonly port: number
}

/** A Redis as a connection needs it; holds secrets. */
export interface RedisPlace {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  /** The server; sentinels; or some nodes of the cluster. */
  readonly nodes: readonly RedisNode[]
  readonly tls: boolean
  /** PEM; for TLS where the system's certificates are not enough. */
  readonly certificates?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  readonly username?: string
  readonly password?: string
  readonly database: number
  /** What the sentinels call it. */
  readonly masterName?: string
  /** What all keys begin with. */
  readonly prefix: string
}

export type Backend =
  | { readonly kind: 'embedded' }
  | { readonly kind: 'redis'; readonly place: RedisPlace }

const PORTS = { single: 6379, cluster: 6379, sentinel: 26_379 }
/** An @ anywhere else is one in a password, of which no message may tell a part. */
const URL_PARTS =
  /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^@/?]+)((?:\/[^@?]*)?)(\?[^@]*)?$/
const NODE_PARTS = /^(?:\[([^\s[\]]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/
const PREFIX_PATTERN = /^[\w.-]{1,64}$/

/** What keeps the records did not answer in time; it may later, and what it was asked may be done. */
export class BackendUnavailable extends Error {
  override readonly name: string = 'BackendUnavailable'
}

/** What is wrong with the URL of a Redis, without the password. */
export class PlaceError extends Error {
  override readonly name = 'PlaceError'
}

/** @throws Error that says what is wrong, without the password */
export function parseBackend(text: string): Backend {
  if (text === 'embedded') return { kind: 'embedded' }
  try {
    return { kind: 'redis', place: parseRedisPlace(text) }
  } catch (cause) {
    throw new Error(`Cannot use backend: ${(cause as Error).message}`, { cause })
  }
}

/** @throws PlaceError */
export function parseRedisPlace(text: string): RedisPlace {
  const [, tls, variant, login = '', hosts = '', path = '', query = ''] = URL_PARTS.exec(text) ?? []
  if (hosts === '') {
    throw new PlaceError(
      'it must be embedded, or a URL such as redis://host:6379, ' +
        'redis+sentinel://host,host/master or redis+cluster://host,host, ' +
        'with user and password percent-encoded',
    )
  }
  const kind = (variant ?? 'single') as RedisPlace['kind']
  const nodes = hosts.split(',').map((host) => nodeOf(host, PORTS[kind]))
  if (kind === 'single' && nodes.length > 1) {
    throw new PlaceError('redis:// takes one host; see redis+cluster:// for more')
  }
  const { masterName, database } = readPath(kind, path)
  return {
    kind,
    nodes,
    tls: tls === 's',
    ...readLogin(login),
    database,
    ...(masterName !== undefined && { masterName }),
    prefix: readPrefix(query),
  }
}

/** The URL without what is secret in it. */
export function maskedBackend(text: string): string {
  return text.replace(/(:\/\/[^:@/]*):.*@/s, '$1:***@')
}

function nodeOf(text: string, portDefault: number): RedisNode {
  const [, address, name, port = portDefault] = NODE_PARTS.exec(text) ?? []
  const host = address ?? name
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new PlaceError('a host in its URL is not one such as redis or [::1]:6379')
  }
  return { host, port: Number(port) }
}

function readLogin(login: string): { username?: string; password?: string } {
  const [username = '', ...rest] = login.split(':')
  const password = rest.join(':')
  return {
    ...(username !== '' && { username: percentDecoded(username) }),
    ...(password !== '' && { password: percentDecoded(password) }),
  }
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new PlaceError('user and password in its URL must be percent-encoded')
  }
}

function readPath(kind: RedisPlace['kind'], path: string) {
  const words = path.split('/').filter((word) => word !== '')
  const masterName = kind === 'sentinel' ? words.shift() : undefined
  if (kind === 'sentinel' && masterName === undefined) {
    throw new PlaceError('redis+sentinel:// needs the name of the master as its path')
  }
  const [number, ...others] = words
  const isNumber = number === undefined || /^\d{1,4}$/.test(number)
  if (!isNumber || others.length > 0 || (kind === 'cluster' && words.length > 0)) {
    throw new PlaceError('the path of its URL is no number of a database')
  }
  return { masterName, database: Number(number ?? 0) }
}

function readPrefix(query: string): string {
  const parameters = new URLSearchParams(query)
  for (const name of parameters.keys()) {
    if (name !== 'prefix') throw new PlaceError(`unknown parameter ${name}`)
  }
  const prefix = parameters.get('prefix') ?? 'standpipe'
  if (PREFIX_PATTERN.test(prefix)) return prefix
  throw new PlaceError('the prefix is 1 to 64 letters, digits, dots, - or _')
}
