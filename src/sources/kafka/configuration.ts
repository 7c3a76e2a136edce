/**
 * The configuration of a Kafka source is AWS's MSKSourceConfiguration, with nothing added: brokers and
 * credentials are the host's (clients.ts). RoleARN and Connectivity say how AWS reaches a cluster; they are
 * checked, kept and told back.
 */
import type { Json, JsonObject } from '../../base/json.ts'
import { ConfigurationError } from '../../destination.ts'

/** As stored. */
export type KafkaSourceConfiguration = {
  readonly MSKClusterARN: string
  readonly TopicName: string
  readonly AuthenticationConfiguration: {
    readonly RoleARN: string
    readonly Connectivity: 'PUBLIC' | 'PRIVATE'
  }
  /** Seconds since the epoch; a partition is read from its first record at or after it. */
  readonly ReadFromTimestamp: number
  /** When the delivery stream was made, in seconds since the epoch. */
  readonly DeliveryStartTimestamp: number
}

const MEMBERS = ['MSKClusterARN', 'TopicName', 'AuthenticationConfiguration', 'ReadFromTimestamp']
const CLUSTER_ARN = /^arn:[^:]+:kafka:[^:]*:[^:]*:cluster\/.+$/
const ROLE_ARN = /^arn:[^:]+:iam::\d{12}:role\/.+$/
const TOPIC_NAME = /^[a-zA-Z0-9._-]{1,255}$/
const ARN_LENGTH_MAX = 512

/**
 * @param createdAtMs where it begins to read unless ReadFromTimestamp says otherwise
 * @throws ConfigurationError
 */
export function createConfiguration(
  given: JsonObject,
  createdAtMs: number,
): KafkaSourceConfiguration {
  for (const member of Object.keys(given)) {
    if (!MEMBERS.includes(member)) refuse(`has no member ${member}`)
  }
  const { MSKClusterARN, TopicName, AuthenticationConfiguration, ReadFromTimestamp } = given
  if (!matches(MSKClusterARN, CLUSTER_ARN)) {
    refuse('.MSKClusterARN must be the ARN of a cluster, arn:…:kafka:…:cluster/…')
  }
  if (!matches(TopicName, TOPIC_NAME) || TopicName === '.' || TopicName === '..') {
    refuse('.TopicName must be the name of a topic, of 1 to 255 characters a-z A-Z 0-9 . _ -')
  }
  return {
    MSKClusterARN,
    TopicName,
    AuthenticationConfiguration: authentication(AuthenticationConfiguration),
    ReadFromTimestamp: timestamp(ReadFromTimestamp) ?? createdAtMs / 1000,
    DeliveryStartTimestamp: createdAtMs / 1000,
  }
}

function authentication(
  given: Json | undefined,
): KafkaSourceConfiguration['AuthenticationConfiguration'] {
  const { RoleARN, Connectivity } = (given ?? {}) as JsonObject
  if (!matches(RoleARN, ROLE_ARN)) {
    refuse('.AuthenticationConfiguration.RoleARN must be the ARN of a role')
  }
  if (Connectivity !== 'PUBLIC' && Connectivity !== 'PRIVATE') {
    refuse('.AuthenticationConfiguration.Connectivity must be PUBLIC or PRIVATE')
  }
  return { RoleARN, Connectivity }
}

function timestamp(given: Json | undefined): number | undefined {
  if (given === undefined) return undefined
  if (typeof given === 'number' && Number.isFinite(given) && given >= 0) return given
  return refuse('.ReadFromTimestamp must be in seconds since the epoch')
}

function matches(given: Json | undefined, pattern: RegExp): given is string {
  return typeof given === 'string' && given.length <= ARN_LENGTH_MAX && pattern.test(given)
}

function refuse(what: string): never {
  throw new ConfigurationError(`MSKSourceConfiguration${what.startsWith('.') ? '' : ' '}${what}`)
}
