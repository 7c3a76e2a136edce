/** What an entry of `connections` may hold, by what its URL or ARN names. */
import { parseHostAndPort } from '../base/network-address.ts'
import { SASL_MECHANISMS } from '../connections.ts'
import type { ConnectionSetting } from './connection-settings.ts'
import type { ConnectionUrl } from './connection-url.ts'
import { SettingsError } from './sources.ts'

const LOGIN = ['username', 'password']
const TLS = ['tlsCa', 'tlsCertificate', 'tlsKey']
const HTTP = [...LOGIN, 'apiKey', 'sigv4', ...TLS, 'proxy']
const DATABASE = [...LOGIN, ...TLS]

/** Members besides the URL, by its scheme. */
const MEMBERS_BY_SCHEME = new Map<string, readonly string[]>([
  ['http', HTTP],
  ['https', HTTP],
  ['jdbc:postgresql', DATABASE],
  ['jdbc:redshift', DATABASE],
  ['mongodb', DATABASE],
  ['mongodb+srv', DATABASE],
  ['redis', LOGIN],
  ['rediss', DATABASE],
])
/** Likewise, by the service of an ARN and the kind of thing that it names. */
const MEMBERS_BY_RESOURCE = new Map<string, readonly string[]>([
  ['kinesis:stream', ['endpoint', 'accessKeyId', 'secretAccessKey']],
  ['kafka:cluster', ['brokers', 'tls', 'sasl', ...DATABASE]],
])

const PEM = /^-----BEGIN [A-Z ]+-----$/m

/** @throws SettingsError for what no destination and no source is reached by; it tells no URL */
export function checkUrl(url: ConnectionUrl | undefined, place: string): ConnectionUrl {
  if (url === undefined || membersOf(url) === undefined) {
    const schemes = [...MEMBERS_BY_SCHEME.keys()].map((scheme) => `${scheme}:`).join(', ')
    throw new SettingsError(
      `${place}: its url must be a URL with a host, of ${schemes}, or the ARN of a Kinesis stream ` +
        'or of an MSK cluster',
    )
  }
  if (url.user !== undefined) {
    throw new SettingsError(`${place}: its url names a user; username and password are for that`)
  }
  if (url.query !== '') {
    throw new SettingsError(`${place}: its url must end with the path`)
  }
  return url
}

function membersOf({ scheme, path }: ConnectionUrl): readonly string[] | undefined {
  const [arn, , service] = scheme.split(':')
  if (arn !== 'arn') return MEMBERS_BY_SCHEME.get(scheme)
  return MEMBERS_BY_RESOURCE.get(`${service}:${path[0]}`)
}

/** @throws SettingsError */
export function checkText(member: string, text: string, subject: string): void {
  if (member.startsWith('tls') && !PEM.test(text)) {
    throw new SettingsError(`${subject} must be PEM (-----BEGIN …)`)
  }
  if (member === 'proxy' && !/^https?:\/\/[^/?#\s]+\/?$/.test(text)) {
    throw new SettingsError(`${subject} must be http://host:port`)
  }
  if (member === 'endpoint' && !/^https?:\/\/[^/?#\s@]+\/?$/.test(text)) {
    throw new SettingsError(`${subject} must be http://host:port or https://host:port`)
  }
  if (member === 'apiKey' && !/^[!-~]+$/.test(text)) {
    throw new SettingsError(`${subject} must be visible ASCII without spaces`)
  }
  if (member === 'brokers' && !text.split(',').every(isBroker)) {
    throw new SettingsError(`${subject} must be host:port,host:port`)
  }
  if (member === 'sasl' && !(SASL_MECHANISMS as readonly string[]).includes(text)) {
    throw new SettingsError(`${subject} must be one of ${SASL_MECHANISMS.join(', ')}`)
  }
}

function isBroker(text: string): boolean {
  return /^[^\s/@]+$/.test(text) && (parseHostAndPort(text)?.port ?? 0) > 0
}

/** @throws SettingsError for members that don't go together, or not with the URL */
export function checkCombination(
  connection: ConnectionSetting,
  url: ConnectionUrl,
  place: string,
): void {
  const refuse = (reason: string): never => {
    throw new SettingsError(`${place}: ${reason}`)
  }
  const taken = membersOf(url) ?? []
  const misplaced = Object.keys(connection).find(
    (member) => member !== 'url' && !taken.includes(member),
  )
  if (misplaced !== undefined) refuse(`takes no ${misplaced}, only ${taken.join(', ')}`)
  const { username, password, apiKey, sigv4, tls, sasl } = connection
  const logins = Object.entries({ 'username and password': username, apiKey, sigv4 })
  const given = logins.filter(([, value]) => value !== undefined).map(([name]) => name)
  if (given.length > 1) refuse(`may have ${given[0]} or ${given[1]}, not both`)
  // A Redis without users has a password all the same.
  const mayLackUsername = url.scheme.startsWith('redis')
  if (password !== undefined && username === undefined && !mayLackUsername) {
    refuse('has a password and no username')
  }
  for (const [one, other] of [
    ['tlsCertificate', 'tlsKey'],
    ['accessKeyId', 'secretAccessKey'],
  ] as const) {
    if ((connection[one] === undefined) === (connection[other] === undefined)) continue
    refuse(`${one} and ${other} must be given together`)
  }
  if (!taken.includes('brokers')) return
  if (connection.brokers === undefined) refuse('names no brokers')
  const saslMembers = [sasl, username, password].filter((value) => value !== undefined)
  if (saslMembers.length % 3 !== 0) refuse('sasl, username and password must be given together')
  const ofTls = TLS.find((member) => Object.hasOwn(connection, member))
  if (ofTls !== undefined && tls !== true) refuse(`${ofTls} needs tls: true`)
}
