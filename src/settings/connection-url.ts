/**
 * URLs of destinations and sources, compared: `https://host/path`, `jdbc:postgresql://host:5432/db` or
 * `mongodb://one:27017,two:27017/db`. One covers another of the same scheme and hosts whose path it
 * begins, whole segments only. A port that is the scheme's own may be left out; several hosts may
 * stand in any order; user, query and fragment count for nothing.
 *
 * The ARN of a Kinesis stream or an MSK cluster is read alike: `arn:aws:kinesis` is its scheme, region
 * and account are its host, `stream/name` or `cluster/name/uuid` is its path.
 */

export interface ConnectionUrl {
  /** E.g. `https`, `jdbc:redshift`, `arn:aws:kafka`. */
  readonly scheme: string
  readonly user: string | undefined
  /** In lower case and in order. */
  readonly hosts: string
  readonly path: readonly string[]
  /** With its question mark; empty: none. */
  readonly query: string
}

const URL_PARTS = /^((?:jdbc:)?[a-z][a-z0-9+.-]*):\/\/(?:([^/?#]*)@)?([^/?#]+)([^?#]*)([^]*)$/i
const ARN_PARTS = /^(arn:[a-z-]+:(?:kinesis|kafka)):([a-z0-9-]*:\d*):([^:?#]+)$/
const PORTS: Readonly<Record<string, string>> = {
  http: ':80',
  https: ':443',
  mongodb: ':27017',
  'jdbc:postgresql': ':5432',
  'jdbc:redshift': ':5439',
  redis: ':6379',
  rediss: ':6379',
}

/** Undefined where it is none. */
export function parseConnectionUrl(text: string): ConnectionUrl | undefined {
  return parseArn(text) ?? parseUrl(text)
}

function parseArn(text: string): ConnectionUrl | undefined {
  const parts = ARN_PARTS.exec(text)
  if (parts === null) return undefined
  const [, scheme = '', hosts = '', path = ''] = parts
  return { scheme, user: undefined, hosts, path: segmentsOf(path), query: '' }
}

function parseUrl(text: string): ConnectionUrl | undefined {
  const parts = URL_PARTS.exec(/^https?:/i.test(text) ? (URL.parse(text)?.href ?? '') : text)
  if (parts === null) return undefined
  const [, scheme = '', user, hosts = '', path = '', query = ''] = parts
  const port = PORTS[scheme.toLowerCase()] ?? ':'
  const ordered = hosts
    .toLowerCase()
    .split(',')
    .map((host) => (host.endsWith(port) ? host.slice(0, -port.length) : host))
    .toSorted()
  return {
    scheme: scheme.toLowerCase(),
    user,
    hosts: ordered.join(','),
    path: segmentsOf(path),
    query,
  }
}

function segmentsOf(path: string): readonly string[] {
  return path.split('/').filter((segment) => segment !== '')
}

export function covers(prefix: ConnectionUrl, url: ConnectionUrl): boolean {
  return (
    prefix.scheme === url.scheme &&
    prefix.hosts === url.hosts &&
    prefix.path.every((segment, index) => segment === url.path[index])
  )
}
