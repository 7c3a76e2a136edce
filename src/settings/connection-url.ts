/**
 * URLs of destinations, compared: `https://host/path`, `jdbc:postgresql://host:5432/db` or
 * `mongodb://one:27017,two:27017/db`. One covers another of the same scheme and hosts whose path it
 * begins, whole segments only. A port that is the scheme's own may be left out; several hosts may
 * stand in any order; user, query and fragment count for nothing.
 */

export interface ConnectionUrl {
  /** E.g. `https`, `jdbc:redshift`. */
  readonly scheme: string
  readonly user: string | undefined
  /** In lower case and in order. */
  readonly hosts: string
  readonly path: readonly string[]
  /** With its question mark; empty: none. */
  readonly query: string
}

const URL_PARTS = /^((?:jdbc:)?[a-z][a-z0-9+.-]*):\/\/(?:([^/?#]*)@)?([^/?#]+)([^?#]*)([^]*)$/i
const PORTS: Readonly<Record<string, string>> = {
  http: ':80',
  https: ':443',
  mongodb: ':27017',
  'jdbc:postgresql': ':5432',
  'jdbc:redshift': ':5439',
}

/** Undefined where it is none. */
export function parseConnectionUrl(text: string): ConnectionUrl | undefined {
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
    path: path.split('/').filter((segment) => segment !== ''),
    query,
  }
}

export function covers(prefix: ConnectionUrl, url: ConnectionUrl): boolean {
  return (
    prefix.scheme === url.scheme &&
    prefix.hosts === url.hosts &&
    prefix.path.every((segment, index) => segment === url.path[index])
  )
}
