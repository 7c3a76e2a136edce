import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'
import { silentLogger } from '../../src/base/logger.ts'
import type { SealedBatch } from '../../src/batch.ts'
import { RedisBatchContents } from '../../src/redis/store/batch-contents.ts'
import { RedisBatchStore } from '../../src/redis/store/batch-lists.ts'
import { Keys } from '../../src/redis/keys.ts'
import { Lanes } from '../../src/redis/lanes.ts'
import { Scripts } from '../../src/redis/scripts.ts'
import { startRedis } from '../servers/redis.ts'
import type { RedisServer } from '../servers/redis.ts'
import { batchEncryptionContract } from './batch-encryption.ts'
import { batchImportContract } from './batch-import.ts'
import { batchStagingContract } from './batch-staging.ts'
import { batchStoreContract } from './batch-store.ts'
import type { StoreSetting, StoreUnderTest } from './batch-store.ts'

let server: RedisServer

beforeAll(async () => {
  server = (await startRedis()) as RedisServer
})
afterAll(() => server[Symbol.asyncDispose]())

batchStoreContract('batch lists', openNew)
batchEncryptionContract('batch lists', openNew)
batchImportContract('batch lists', openNew)
batchStagingContract('batch lists', openNew)

function openNew(setting: StoreSetting): Promise<StoreUnderTest> {
  return openIn(new Keys(`test-${randomBytes(8).toString('hex')}`), setting)
}

async function openIn(keys: Keys, setting: StoreSetting): Promise<StoreUnderTest> {
  const { clock, keyRing, quotaBytes } = setting
  const client = new Redis(server.url)
  const scripts = new Scripts(client)
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
      return openIn(keys, setting)
    },
    async [Symbol.asyncDispose]() {
      await store.close()
      client.disconnect()
    },
  }
}
