/**
 * What AWS takes from IAM and the VPC comes from the host here: credentials, certificates and proxies
 * for a destination's URL, and the secrets that a SecretsManagerConfiguration names.
 */
import type { JsonObject } from './base/json.ts'

/** Everything in it may be secret; nothing of it is ever logged or described. */
export interface Connection {
  readonly username?: string
  readonly password?: string
  /** Sent as `Authorization: ApiKey …`. */
  readonly apiKey?: string
  /** Requests are signed with the standard AWS credential chain. */
  readonly sigv4?: { readonly region: string; readonly service: string }
  /** PEM. */
  readonly tlsCa?: string
  readonly tlsCertificate?: string
  readonly tlsKey?: string
  /** `http://host:port` of a proxy. */
  readonly proxy?: string
}

export interface Connections {
  /** The settings' entry whose URL is the longest prefix of this one. */
  find(url: string): Connection | undefined
  /**
   * The secret's JSON, read anew each time, so that it can be rotated.
   * @throws Error when no setting names this ARN, or what it names can't be read
   */
  secret(secretArn: string): Promise<JsonObject>
}

export const NO_CONNECTIONS: Connections = {
  find: () => undefined,
  secret: (secretArn) => {
    throw new Error(`Cannot read secret ${secretArn}: no setting names it`)
  },
}
