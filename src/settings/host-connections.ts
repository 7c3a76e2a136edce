import type { JsonObject } from '../base/json.ts'
import type { Connection, Connections } from '../connections.ts'
import { readBoundedFile } from './bounded-file.ts'
import type { ConnectionSetting, SecretSetting } from './connection-settings.ts'
import { covers, parseConnectionUrl } from './connection-url.ts'
import type { ConnectionUrl } from './connection-url.ts'
import { parseSecret, SECRET_BYTES_MAX } from './secret-text.ts'

/** What the settings hold for destinations; plain data, as threads are given it. */
export interface ConnectionsData {
  readonly connections: readonly ConnectionSetting[]
  readonly secrets: Readonly<Record<string, SecretSetting>>
}

/** Connections and secrets as the host's settings name them. */
export class HostConnections implements Connections {
  /** The longest paths first. */
  readonly #connections: readonly (readonly [ConnectionUrl, Connection])[]
  readonly #secrets: ReadonlyMap<string, SecretSetting>

  constructor({ connections, secrets }: ConnectionsData) {
    this.#connections = connections
      .flatMap(({ url, ...connection }) => {
        const parsed = parseConnectionUrl(url)
        return parsed === undefined ? [] : [[parsed, connection] as const]
      })
      .toSorted(([one], [other]) => other.path.length - one.path.length)
    this.#secrets = new Map(Object.entries(secrets))
  }

  find(url: string): Connection | undefined {
    const parsed = parseConnectionUrl(url)
    if (parsed === undefined) return undefined
    return this.#connections.find(([prefix]) => covers(prefix, parsed))?.[1]
  }

  async secret(secretArn: string): Promise<JsonObject> {
    const secret = this.#secrets.get(secretArn)
    if (secret === undefined) {
      throw new Error(`Cannot read secret ${secretArn}: no setting names it`)
    }
    if ('value' in secret) return secret.value
    try {
      return parseSecret(readBoundedFile(secret.file, SECRET_BYTES_MAX))
    } catch (cause) {
      const reason = (cause as Error).message
      throw new Error(`Cannot read secret ${secretArn}: ${secret.file}: ${reason}`, { cause })
    }
  }
}
