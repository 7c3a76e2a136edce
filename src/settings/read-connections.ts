/** The `connections` setting as it is written becomes what is connected with: all values read. */
import { isJsonObject } from '../base/json.ts'
import { checkCombination, checkText, checkUrl } from './connection-rules.ts'
import { CONNECTION_MEMBERS } from './connection-settings.ts'
import type { ConnectionSetting } from './connection-settings.ts'
import { parseConnectionUrl } from './connection-url.ts'
import { didYouMean } from './near-match.ts'
import { readPlacedValue } from './placed-value.ts'
import { SettingsError } from './sources.ts'
import type { Environment } from './sources.ts'

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
    const parsed = checkUrl(parseConnectionUrl(url), entryPlace)
    const name = JSON.stringify([parsed.scheme, parsed.hosts, parsed.path])
    if (seen.has(name)) throw new SettingsError(`${entryPlace}: ${url} is there twice`)
    seen.add(name)
    const connection = readMembers(entry, url, environment, `${entryPlace}, ${url}`)
    checkCombination(connection, parsed, `${entryPlace}, ${url}`)
    return connection
  })
}

function readMembers(
  { sigv4, tls, ...texts }: Readonly<Record<string, unknown>>,
  url: string,
  environment: Environment,
  place: string,
): ConnectionSetting {
  const given = Object.entries(texts).filter(
    ([member, value]) => member !== 'url' && isGiven(value),
  )
  const read = given.map(([member, value]) => {
    const subject = `${place}: its ${member}`
    const text = readPlacedValue(value, environment, subject)
    checkText(member, text, subject)
    return [member, text]
  })
  return {
    url,
    ...(Object.fromEntries(read) as object),
    ...(isGiven(sigv4) ? { sigv4: readSigv4(sigv4, `${place}: its sigv4`) } : {}),
    ...(isGiven(tls) ? { tls: readFlag(tls, `${place}: its tls`) } : {}),
  }
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

function readFlag(value: unknown, subject: string): boolean {
  if (typeof value === 'boolean') return value
  throw new SettingsError(`${subject} must be true or false`)
}

function readSigv4(value: unknown, subject: string): { region: string; service: string } {
  const { region, service, ...others } = isJsonObject(value) ? value : {}
  const isComplete = typeof region === 'string' && typeof service === 'string'
  if (isComplete && Object.keys(others).length === 0) return { region, service }
  throw new SettingsError(`${subject} must be {region: …, service: …}`)
}
