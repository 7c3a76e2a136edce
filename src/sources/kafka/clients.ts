/**
 * How a cluster is reached: MSKClusterARN names an entry of the host's connections, which has brokers and
 * credentials. A source has two clients, because a broker answers the requests of a connection one after
 * the other, and one that joins a group may wait long for its answer.
 */
import { isIP } from 'node:net'
import type { Connection, Connections } from '../../connections.ts'
import { SourceError } from '../../source.ts'
import { TopicClient } from './topic-client.ts'

export type KafkaClient = TopicClient

export interface KafkaClients {
  /** Takes part in the consumer group: assignments, heartbeats, commits. */
  readonly member: KafkaClient
  /** Reads; it never joins. */
  readonly reader: KafkaClient
}

const CONNECT_MS_MAX = 5_000
const REQUEST_MS_MAX = 10_000
/** Who is not heard of for so long is out of the group, and its partitions go to others. Brokers allow no less. */
const SESSION_MS = 6_000
const REBALANCE_MS_MAX = 15_000
/** A broker answers who joins when all others have joined, or it waits for them no longer. */
const JOIN_MS_MAX = REBALANCE_MS_MAX + 5_000
const HEARTBEAT_MS = 2_000
const GROUP_RETRIES = 5
const RETRY_MS = 250
/** How old what is known of leaders and partitions may be. */
const METADATA_MS_MAX = 5_000

/** @throws SourceError when no connection is configured for the ARN */
export function openClients(
  connections: Connections,
  clusterArn: string,
  groupId: string,
): KafkaClients {
  const options = clientOptions(connections.find(clusterArn), clusterArn)
  const group = {
    groupId,
    sessionTimeout: SESSION_MS,
    rebalanceTimeout: REBALANCE_MS_MAX,
    heartbeatInterval: HEARTBEAT_MS,
  }
  return {
    member: new TopicClient({
      ...options,
      ...group,
      requestTimeout: JOIN_MS_MAX,
      retries: GROUP_RETRIES,
      retryDelay: RETRY_MS,
    }),
    reader: new TopicClient({ ...options, ...group, retries: 0 }),
  }
}

function clientOptions(connection: Connection | undefined, clusterArn: string) {
  if (connection?.brokers === undefined) {
    throw new SourceError(
      'Kafka.ConnectionNotConfigured',
      `Cannot reach ${clusterArn}: no entry of the setting connections has this ARN as url, and brokers`,
    )
  }
  const { sasl, username = '', password = '', tls, tlsCa, tlsCertificate, tlsKey } = connection
  const brokers = connection.brokers.split(',').map((broker) => broker.trim())
  const byAddress = brokers.every((broker) => isIP(hostOf(broker)) !== 0)
  return {
    clientId: 'standpipe',
    bootstrapBrokers: brokers,
    connectTimeout: CONNECT_MS_MAX,
    requestTimeout: REQUEST_MS_MAX,
    metadataMaxAge: METADATA_MS_MAX,
    ...(tls === true && {
      // An address can't be asked for by name.
      tlsServerName: !byAddress,
      tls: {
        ...(tlsCa !== undefined && { ca: tlsCa }),
        ...(tlsCertificate !== undefined && { cert: tlsCertificate }),
        ...(tlsKey !== undefined && { key: tlsKey }),
      },
    }),
    ...(sasl !== undefined && { sasl: { mechanism: sasl, username, password } }),
  }
}

function hostOf(broker: string): string {
  return broker.slice(0, broker.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1')
}
