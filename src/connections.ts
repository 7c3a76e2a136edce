/**
 * What AWS takes from IAM and the VPC comes from the host here: credentials, certificates and proxies
 * for a destination's URL, where the ARN of a source is and how it is reached, and the secrets that a
 * SecretsManagerConfiguration names.
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
  /** Where the Kinesis stream of an ARN is: `http(s)://host:port`. */
  readonly endpoint?: string
  /** Both or none. */
  readonly accessKeyId?: string
  readonly secretAccessKey?: string
  /** Where the MSK cluster of an ARN is: `host:port,host:port`; always there for one. */
  readonly brokers?: string
  /** Whether brokers are spoken to over TLS; absent: no. */
  readonly tls?: boolean
  /** With username and password, which brokers take no other way. */
  readonly sasl?: SaslMechanism
}

export const SASL_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
export type SaslMechanism = (typeof SASL_MECHANISMS)[number]

export interface Connections {
  /** The settings' entry whose URL, or ARN, is the longest prefix of this one. */
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
