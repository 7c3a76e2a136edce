/** The `connections` setting as it is written becomes what destinations use: all values read. */
import { isJsonObject } from '../base/json.ts'
import { CONNECTION_MEMBERS } from './connection-settings.ts'
import type { ConnectionSetting } from './connection-settings.ts'
import { parseConnectionUrl } from './connection-url.ts'
import type { ConnectionUrl } from './connection-url.ts'
import { didYouMean } from './near-match.ts'
import { readPlacedValue } from './placed-value.ts'
import { SettingsError } from './sources.ts'
import type { Environment } from './sources.ts'

const SCHEMES = [
  'http',
  'https',
  'jdbc:postgresql',
  'jdbc:redshift',
  'mongodb',
  'mongodb+srv',
] as const
const HTTP_ONLY = ['apiKey', 'sigv4', 'proxy']
const PEM = /^-----BEGIN [A-Z ]+-----$/m

/**
 * @param place what to blame, e.g. `connections in standpipe.yaml`
 * @throws SettingsError, which never tells a value
 */
export function readConnections(
  value: unknown,
  environment: Environment,
  place: string,
): readonly ConnectionSetting[] {
  if (!Array.isArray(value)) throw new SettingsError(`Cannot use ${place}: must be a list`)
  const seen = new Set<string>()
  return value.map((entry: unknown, index) => {
    const entryPlace = `Cannot use ${place}: entry ${index + 1}`
    if (!isJsonObject(entry)) throw new SettingsError(`${entryPlace} must be an object`)
    const unknown = Object.keys(entry).find((member) => !CONNECTION_MEMBERS.includes(member))
    if (unknown !== undefined) {
      const hint = didYouMean(unknown, CONNECTION_MEMBERS)
      throw new SettingsError(`${entryPlace}: no such member ${unknown}${hint}`)
    }
    const url = readPlacedValue(entry['url'], environment, `${entryPlace}: its url`)
    const parsed = checkUrl(url, entryPlace)
    const name = JSON.stringify([parsed.scheme, parsed.hosts, parsed.path])
    if (seen.has(name)) throw new SettingsError(`${entryPlace}: ${url} is there twice`)
    seen.add(name)
    const connection = readMembers(entry, url, environment, `${entryPlace}, ${url}`)
    checkCombination(connection, parsed, `${entryPlace}, ${url}`)
    return connection
  })
}

function checkUrl(url: string, place: string): ConnectionUrl {
  const parsed = parseConnectionUrl(url)
  if (parsed === undefined || !(SCHEMES as readonly string[]).includes(parsed.scheme)) {
    // A text that can't be read may hold a password.
    const schemes = SCHEMES.map((scheme) => `${scheme}:`).join(', ')
    throw new SettingsError(`${place}: its url must be a URL with a host, of ${schemes}`)
  }
  if (parsed.user !== undefined) {
    throw new SettingsError(`${place}: its url names a user; username and password are for that`)
  }
  if (parsed.query !== '') {
    throw new SettingsError(`${place}: its url must end with the path`)
  }
  return parsed
}

function readMembers(
  { sigv4, ...texts }: Readonly<Record<string, unknown>>,
  url: string,
  environment: Environment,
  place: string,
): ConnectionSetting {
  const given = Object.entries(texts).filter(
    ([member, value]) => member !== 'url' && value !== null,
  )
  const read = given.map(([member, value]) => {
    const subject = `${place}: its ${member}`
    const text = readPlacedValue(value, environment, subject)
    checkText(member, text, subject)
    return [member, text]
  })
  const connection: ConnectionSetting = { url, ...(Object.fromEntries(read) as object) }
  if (sigv4 === undefined || sigv4 === null) return connection
  return { ...connection, sigv4: readSigv4(sigv4, `${place}: its sigv4`) }
}

function readSigv4(value: unknown, subject: string): { region: string; service: string } {
  const { region, service, ...others } = isJsonObject(value) ? value : {}
  const isComplete = typeof region === 'string' && typeof service === 'string'
  if (isComplete && Object.keys(others).length === 0) return { region, service }
  throw new SettingsError(`${subject} must be {region: …, service: …}`)
}

function checkText(member: string, text: string, subject: string): void {
  if (member.startsWith('tls') && !PEM.test(text)) {
    throw new SettingsError(`${subject} must be PEM (-----BEGIN …)`)
  }
  if (member === 'proxy' && !/^https?:\/\/[^/?#\s]+\/?$/.test(text)) {
    throw new SettingsError(`${subject} must be http://host:port`)
  }
  if (member === 'apiKey' && !/^[!-~]+$/.test(text)) {
    throw new SettingsError(`${subject} must be visible ASCII without spaces`)
  }
}

function checkCombination(
  connection: ConnectionSetting,
  { scheme }: ConnectionUrl,
  place: string,
): void {
  const { username, password, apiKey, sigv4, tlsCertificate, tlsKey } = connection
  const logins = Object.entries({ 'username and password': username, apiKey, sigv4 })
  const given = logins.filter(([, value]) => value !== undefined).map(([name]) => name)
  if (given.length > 1) {
    throw new SettingsError(`${place}: may have ${given[0]} or ${given[1]}, not both`)
  }
  if (password !== undefined && username === undefined) {
    throw new SettingsError(`${place}: has a password and no username`)
  }
  if ((tlsCertificate === undefined) !== (tlsKey === undefined)) {
    throw new SettingsError(`${place}: tlsCertificate and tlsKey must be given together`)
  }
  const misplaced = HTTP_ONLY.find((member) => Object.hasOwn(connection, member))
  if (misplaced !== undefined && !scheme.startsWith('http')) {
    throw new SettingsError(`${place}: ${misplaced} is for http: and https: only`)
  }
}
