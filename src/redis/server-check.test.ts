import { expect, test } from 'vitest'
import { available } from '../../test/clients/available.ts'
import { startRedisCluster } from '../../test/servers/redis-cluster.ts'
import { startReplica } from '../../test/servers/redis-replication.ts'
import { findRedis, startRedis } from '../../test/servers/redis.ts'
import type { RedisOptions, RedisServer } from '../../test/servers/redis.ts'
import { parseBackend } from '../backend.ts'
import type { Logger } from '../base/logger.ts'
import { silentLogger } from '../base/logger.ts'
import { connect } from './connection.ts'
import type { Acknowledge } from './durable-scripts.ts'
import { checkServer } from './server-check.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)
const isValkeyHere = available('Valkey', (await findRedis('valkey')) !== undefined)
const GOOD = { appendonly: 'always', maxmemory: '64mb' } as const
const STRONG: Acknowledge = { fsync: 'always', replicas: 0, waitAof: false, timeoutMs: 500 }

async function check(url: string, acknowledge: Partial<Acknowledge> = {}) {
  const backend = parseBackend(url)
  if (backend.kind !== 'redis') throw new Error('Cannot test on the embedded backend')
  const { place } = backend
  const warnings: string[] = []
  const logger: Logger = {
    ...silentLogger,
    warn: (_fields, message) => void warnings.push(message.replace(/[:,].*$/, '')),
  }
  const client = connect({ place, name: 'test', logger: silentLogger })
  try {
    const facts = await checkServer({
      client,
      place,
      acknowledge: { ...STRONG, ...acknowledge },
      logger,
    })
    return { facts, warnings }
  } finally {
    client.disconnect()
  }
}

/** What is said of a server of one's own. */
async function checkNew(options: RedisOptions, acknowledge: Partial<Acknowledge> = {}) {
  await using server = (await startRedis(options)) as RedisServer
  return await check(server.url, acknowledge)
}

test.runIf(isHere)('a server that is set as it should be is used without a word', async () => {
  expect(await checkNew({ ...GOOD, program: 'redis' })).toEqual({
    facts: {
      version: expect.stringMatching(/^redis \d+\.\d+\.\d+$/),
      maxmemoryBytes: 64 * 1024 * 1024,
      usedBytes: expect.any(Number),
    },
    warnings: [],
  })
  expect(await checkNew(GOOD, { fsync: 'everysec' })).toMatchObject({ warnings: [] })
})

test.runIf(isValkeyHere)('Valkey is known by its own version, and has WAITAOF', async () => {
  const { facts, warnings } = await checkNew({ ...GOOD, program: 'valkey' }, { waitAof: true })
  expect(facts.version).toMatch(/^valkey \d/)
  expect(warnings).toEqual([])
})

const refused: [string, RedisOptions, Partial<Acknowledge>, string][] = [
  [
    'an evicting policy',
    { ...GOOD, config: { 'maxmemory-policy': 'allkeys-lru' } },
    {},
    'its maxmemory-policy is allkeys-lru, which forgets records; set it to noeviction',
  ],
  ['no log', { appendonly: 'no' }, {}, 'it has no log; set appendonly to yes, or redisFsync to'],
  [
    'a log that is synced too seldom',
    { appendonly: 'everysec' },
    {},
    'its appendfsync is everysec; set it to always, or redisFsync to what you accept to lose',
  ],
  [
    'a log that is never synced',
    { appendonly: 'everysec', config: { appendfsync: 'no' } },
    { fsync: 'everysec' },
    'its appendfsync is no; set it to everysec, or',
  ],
  [
    'a log that is not synced while it is rewritten',
    { ...GOOD, config: { 'no-appendfsync-on-rewrite': 'yes' } },
    {},
    'it does not sync its log while it rewrites it; set no-appendfsync-on-rewrite to no',
  ],
]
for (const [what, options, acknowledge, message] of refused) {
  test.runIf(isHere)(`${what} is refused`, async () => {
    await expect(checkNew(options, acknowledge)).rejects.toThrow(
      new RegExp(`^Cannot use Redis at 127\\.0\\.0\\.1:\\d+: ${message}`),
    )
  })
}

test.runIf(isValkeyHere)('WAITAOF is refused where the server has none', async () => {
  const config = { 'rename-command': 'WAITAOF ""' }
  const checked = checkNew({ ...GOOD, program: 'valkey', config }, { waitAof: true })
  await expect(checked).rejects.toThrow(
    'it has no WAITAOF (Redis 7.2, Valkey); set redisWaitAof to false',
  )
})

test.runIf(isValkeyHere)(
  'WAITAOF is refused where there is no log, or one that is never synced',
  async () => {
    const options = { appendonly: 'no', program: 'valkey' } as const
    const acknowledge = { fsync: 'none', waitAof: true } as const
    await expect(checkNew(options, acknowledge)).rejects.toThrow(
      'it has no log to wait for; set appendonly to yes',
    )
    const unsynced = { ...options, appendonly: 'everysec', config: { appendfsync: 'no' } } as const
    await expect(checkNew(unsynced, acknowledge)).rejects.toThrow(
      'its appendfsync is no, with which WAITAOF is never fulfilled; set it to everysec',
    )
  },
)

test.runIf(isHere)('what may cost records, or puts, is said', async () => {
  expect(await checkNew({ appendonly: 'no' }, { fsync: 'none', replicas: 2 })).toEqual({
    facts: expect.objectContaining({ maxmemoryBytes: undefined }),
    warnings: [
      'redisFsync is none',
      'Redis has fewer replicas than redisReplicas',
      'Redis has no maxmemory',
    ],
  })
  const options = { ...GOOD, config: { 'no-appendfsync-on-rewrite': 'yes' } }
  expect(await checkNew(options, { fsync: 'everysec' })).toMatchObject({
    warnings: ['Redis does not sync its log while it rewrites it'],
  })
})

test.runIf(isHere)('replicas that are there are counted, and are not masters', async () => {
  await using master = (await startRedis(GOOD)) as RedisServer
  await using replica = await startReplica(master, GOOD)
  expect(await check(master.url, { replicas: 1 })).toMatchObject({ warnings: [] })
  await expect(check(replica.url)).rejects.toThrow(
    'it is a replica; the backend must name its master',
  )
})

test.runIf(isHere)('where CONFIG is forbidden, INFO tells what it can', async () => {
  const user = (server: RedisServer) =>
    server.call(
      'ACL',
      'SETUSER',
      'app',
      'on',
      '>secret',
      '~*',
      '&*',
      '+@all',
      '-config',
      '-command',
    )
  const urlOf = ({ port }: RedisServer) => `redis://app:secret@127.0.0.1:${port}`
  await using logged = (await startRedis(GOOD)) as RedisServer
  await user(logged)
  expect(await check(urlOf(logged))).toMatchObject({
    warnings: ['Redis does not tell its configuration'],
  })
  await using unlogged = (await startRedis({ appendonly: 'no' })) as RedisServer
  await user(unlogged)
  await expect(check(urlOf(unlogged))).rejects.toThrow('it has no log')
})

test.runIf(isHere)('where nobody answers, or not to us, is said without the password', async () => {
  const { port } = await (async () => {
    await using server = (await startRedis({ config: { requirepass: 'right' } })) as RedisServer
    const wrong = check(`redis://:hush@127.0.0.1:${server.port}`)
    await expect(wrong).rejects.toThrow(
      /^Cannot use Redis at 127\.0\.0\.1:\d+: WRONGPASS (?!.*hush)/,
    )
    return server
  })()
  const gone = check(`redis://:hush@127.0.0.1:${port}`)
  await expect(gone).rejects.toThrow(
    `Cannot use Redis at 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
  )
  const cluster = check(`redis+cluster://:hush@127.0.0.1:${port}`)
  await expect(cluster).rejects.toThrow(/^Cannot use Redis at 127\.0\.0\.1:\d+: (?!.*hush)/)
})

test.runIf(isHere)(
  'of a cluster each master is looked at, and it is no single server',
  async () => {
    const options = { masters: 3, replicas: 0, appendonly: 'always', maxmemory: '64mb' } as const
    await using cluster = (await startRedisCluster(options))!
    expect(await check(cluster.url)).toEqual({
      facts: expect.objectContaining({ maxmemoryBytes: 64 * 1024 * 1024 }),
      warnings: [],
    })
    const [node, , last] = cluster.nodes as [RedisServer, RedisServer, RedisServer]
    await expect(check(node.url)).rejects.toThrow('the backend must be redis+cluster://')
    await last.call('CONFIG', 'SET', 'maxmemory-policy', 'volatile-ttl')
    await expect(check(cluster.url)).rejects.toThrow('its maxmemory-policy is volatile-ttl')
  },
)
