/** Redis with replicas, and sentinels that replace a master which is gone. */
import { findRedis, OwnRedis, startRedis } from './redis.ts'
import type { RedisOptions, RedisServer } from './redis.ts'
import { until } from './until.ts'

/** Sentinels that watch one master, with its replicas. */
export interface Sentinels extends AsyncDisposable {
  /** `redis+sentinel://…`, without a prefix. */
  readonly url: string
  readonly masterName: string
  /** The port of the server that is the master now, as they say. */
  masterPort(): Promise<number>
  /** Resolves with the new master's port when they have replaced this one. */
  replaced(oldPort: number): Promise<number>
}

const MASTER_NAME = 'main'
/** Replaced soon, because tests wait for it. */
const DOWN_AFTER_MS = 500
const FAILOVER_TIMEOUT_MS = 2_000
const SYNC_MS_MAX = 30_000
const FAILOVER_MS_MAX = 60_000

/** A replica of `master`; resolves when it holds what the master holds. */
export async function startReplica(
  master: RedisServer,
  options: RedisOptions = {},
): Promise<RedisServer> {
  const config = { ...options.config, replicaof: `127.0.0.1 ${master.port}` }
  const replica = await startRedis({ ...options, config })
  if (replica === undefined) throw new Error('Cannot start a replica: there is no Redis')
  await untilInStep(replica)
  return replica
}

/** Makes a server that runs a replica of `master`, sooner than the sentinels would. */
export async function follow(server: RedisServer, master: RedisServer): Promise<void> {
  await server.call('REPLICAOF', '127.0.0.1', master.port)
  await untilInStep(server)
}

/** `count` sentinels, of which the greater half must agree; resolves when they know of each other. */
export async function startSentinels(count: number, master: RedisServer): Promise<Sentinels> {
  const program = await findRedis()
  if (program === undefined) throw new Error('Cannot start sentinels: there is no Redis')
  await using resources = new AsyncDisposableStack()
  const quorum = Math.floor(count / 2) + 1
  const lines = [
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${master.port} ${quorum}`,
    `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${MASTER_NAME} ${FAILOVER_TIMEOUT_MS}`,
  ]
  const sentinels: OwnRedis[] = []
  for (let index = 0; index < count; index += 1) {
    sentinels.push(resources.use(await OwnRedis.startSentinel(program, lines)))
  }
  const [first] = sentinels
  if (first === undefined) throw new Error('Cannot start sentinels: none is wanted')
  for (const sentinel of sentinels) await untilInformed(sentinel, count, master)
  const masterPort = async (): Promise<number> => {
    const address = await first.call('SENTINEL', 'get-master-addr-by-name', MASTER_NAME)
    return Number((address as string[])[1])
  }
  const owned = resources.move()
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER_NAME}`,
    masterName: MASTER_NAME,
    masterPort,
    replaced: (oldPort) =>
      until('a replica is the master', FAILOVER_MS_MAX, async () => {
        const port = await masterPort()
        return port === oldPort ? undefined : port
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

export async function untilInStep(replica: RedisServer): Promise<void> {
  await until('the replica is in step', SYNC_MS_MAX, async () =>
    (await replica.info('master_link_status')) === 'up' ? true : undefined,
  )
}

/** It knows of the others, and of the replicas that the master has. */
async function untilInformed(
  sentinel: OwnRedis,
  count: number,
  master: RedisServer,
): Promise<void> {
  const replicaCount = (await master.info('connected_slaves')) ?? '0'
  await until('the sentinels know each other', SYNC_MS_MAX, async () => {
    const answer = (await sentinel.call('SENTINEL', 'master', MASTER_NAME)) as string[]
    const field = (name: string): string | undefined => answer[answer.indexOf(name) + 1]
    const isInformed =
      field('num-other-sentinels') === String(count - 1) && field('num-slaves') === replicaCount
    return isInformed ? true : undefined
  })
}
