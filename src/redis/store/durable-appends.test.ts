import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { TemporaryRedisStore } from '../../../test/contracts/temporary-redis-store.ts'
import { startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import { startReplica, untilInStep } from '../../../test/servers/redis-replication.ts'
import { systemClock } from '../../base/clock.ts'
import { chunkOf } from '../../chunk.ts'
import { DurableScripts } from '../durable-scripts.ts'

test('an append is answered when a replica has it, and fails when that takes too long', async () => {
  await using master = (await startRedis({ appendonly: 'everysec' })) as RedisServer
  await using replica = await startReplica(master)
  await using place = new TemporaryRedisStore(master.url)
  const durable = new DurableScripts({
    connect: () => new Redis(master.url),
    acknowledge: { fsync: 'everysec', replicas: 1, waitAof: false, timeoutMs: 500 },
    clock: systemClock,
  })
  try {
    const { store, sealed } = await place.open({ durable })
    const target = place.target()
    const append = (text: string) => store.append(target, chunkOf([Buffer.from(text)], 1))
    const { batchId } = await append('first')
    const key = place.keys.lane(target.streamId).ofBatch('chunks', batchId)
    expect(await replica.call('LLEN', key)).toBe(1)
    await replica.kill()
    await expect(append('second')).rejects.toMatchObject({ name: 'AppendError', reason: 'failed' })
    await replica.restart()
    await untilInStep(replica)
    await append('third')
    await store.seal(target.streamId, 'flush')
    // What was not acknowledged in time is there all the same, as nobody has failed over.
    expect(sealed).toMatchObject([{ recordCount: 3 }])
  } finally {
    durable.close()
  }
})
