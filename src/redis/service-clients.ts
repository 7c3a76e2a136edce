import { Cluster } from 'ioredis'
import { CONNECTION_NAME_PREFIX } from './connection.ts'
import type { RedisClient } from './scripts.ts'

/**
 * Names under which services are connected, on every master; of all prefixes, for a name tells none.
 * @param ownName name of the caller's own connections (ConnectionOptions)
 */
export async function serviceClients(client: RedisClient, ownName: string): Promise<string[]> {
  const nodes = client instanceof Cluster ? client.nodes('master') : [client]
  const lists = await Promise.all(nodes.map((node) => node.client('LIST')))
  const names = lists
    .flatMap((list) => String(list).split('\n'))
    .map((line) => /(?:^| )name=(\S*)/.exec(line)?.[1] ?? '')
  const own = CONNECTION_NAME_PREFIX + ownName
  return names.filter((name) => name.startsWith(CONNECTION_NAME_PREFIX) && name !== own)
}
