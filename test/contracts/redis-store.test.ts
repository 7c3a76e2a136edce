import { randomBytes } from 'node:crypto'
import { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, describe } from 'vitest'
import { silentLogger } from '../../src/base/logger.ts'
import type { SealedBatch } from '../../src/batch.ts'
import { RedisBatchContents } from '../../src/redis/store/batch-contents.ts'
import { RedisBatchStore } from '../../src/redis/store/batch-lists.ts'
import { Keys } from '../../src/redis/keys.ts'
import { Lanes } from '../../src/redis/lanes.ts'
import { Scripts } from '../../src/redis/scripts.ts'
import type { RedisClient, ScriptRunner } from '../../src/redis/scripts.ts'
import { startRedisCluster } from '../servers/redis-cluster.ts'
import type { RedisCluster } from '../servers/redis-cluster.ts'
import { startRedis } from '../servers/redis.ts'
import type { RedisServer } from '../servers/redis.ts'
import { batchEncryptionContract } from './batch-encryption.ts'
import { batchImportContract } from './batch-import.ts'
import { batchPositionsContract } from './batch-positions.ts'
import { batchStagingContract } from './batch-staging.ts'
import { batchStoreContract } from './batch-store.ts'
import type { OpenStore, StoreSetting, StoreUnderTest } from './batch-store.ts'
import { runningTwice } from './between-scripts.ts'

describe('one server', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = (await startRedis()) as RedisServer
  })
  afterAll(() => server[Symbol.asyncDispose]())
  const open = opener(() => new Redis(server.url))
  batchStoreContract('batch lists', open)
  batchEncryptionContract('batch lists', open)
  batchImportContract('batch lists', open)
  batchPositionsContract('batch lists', open)
  batchStagingContract('batch lists', open)
  batchPositionsContract(
    'each script run twice',
    opener(() => new Redis(server.url), runningTwice()),
  )
})

describe('a cluster', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = (await startRedisCluster({ masters: 2, replicas: 0 })) as RedisCluster
  })
  afterAll(() => cluster[Symbol.asyncDispose]())
  batchPositionsContract(
    'cluster',
    opener(() => new Cluster([...cluster.addresses])),
  )
})

/** @param between puts itself between the store and Redis */
function opener(
  connect: () => RedisClient,
  between: (scripts: ScriptRunner) => ScriptRunner = (scripts) => scripts,
): OpenStore {
  return (setting) =>
    openIn(new Keys(`test-${randomBytes(8).toString('hex')}`), { connect, between, setting })
}

interface Opening {
  readonly connect: () => RedisClient
  readonly between: (scripts: ScriptRunner) => ScriptRunner
  readonly setting: StoreSetting
}

async function openIn(keys: Keys, opening: Opening): Promise<StoreUnderTest> {
  const { clock, keyRing, quotaBytes } = opening.setting
  const client = opening.connect()
  const scripts = opening.between(new Scripts(client))
  const lanes = new Lanes(client, new Scripts(client), keys)
  const base = { client, scripts, durable: scripts, keys, clock, logger: silentLogger }
  const sealed: SealedBatch[] = []
  const store = await RedisBatchStore.open({
    ...base,
    lanes,
    contents: new RedisBatchContents({ ...base, keyRing }),
    limits: { quotaBytes, batchesMax: 1_000, memoryShareMax: 0.75 },
    onSealed: (batch) => sealed.push(batch),
    onOpened() {},
  })
  return {
    store,
    keepsOpen: true,
    sealed,
    async restart() {
      await store.close()
      return openIn(keys, opening)
    },
    async [Symbol.asyncDispose]() {
      await store.close()
      client.disconnect()
    },
  }
}
