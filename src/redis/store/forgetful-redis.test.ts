/** A Redis that goes back to an earlier state: a failover, a lost end of its log. */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { TemporaryRedisStore } from '../../../test/contracts/temporary-redis-store.ts'
import { startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import { chunkOf } from '../../chunk.ts'

test('a batch that a Redis has half forgotten takes no record in the place of another', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'forgetful-redis-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const kept = join(folder, 'kept')
  const data = join(folder, 'data')
  await mkdir(data)
  await using server = (await startRedis({ appendonly: 'always', folder: data })) as RedisServer
  await using place = new TemporaryRedisStore(server.url)
  const target = place.target()
  const { store, sealed } = await place.open()
  const first = await store.append(target, chunk('remembered'))

  await server.kill()
  await cp(data, kept, { recursive: true })
  await server.restart()
  // From here on all will be forgotten, though the batch may be delivered with it.
  const forgotten = await store.append(target, chunk('forgotten'))
  await store.seal(target.streamId, 'flush')
  await server.kill()
  await rm(data, { recursive: true })
  await cp(kept, data, { recursive: true })
  await server.restart()

  const after = await store.append(target, chunk('after'))
  await store.seal(target.streamId, 'flush')
  expect(new Set([first, forgotten, after].map(({ batchId }) => batchId)).size).toBe(3)
  expect(sealed.map(({ sealReason, recordCount }) => [sealReason, recordCount])).toEqual([
    ['recovery', 1],
    ['flush', 1],
    ['recovery', 1],
    ['flush', 1],
  ])
})

function chunk(text: string) {
  return chunkOf([Buffer.from(text)], 1_783_952_116_000)
}
