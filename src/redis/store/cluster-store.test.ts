import { randomBytes } from 'node:crypto'
import { Cluster } from 'ioredis'
import { expect, test } from 'vitest'
import { startRedisCluster } from '../../../test/servers/redis-cluster.ts'
import type { RedisCluster } from '../../../test/servers/redis-cluster.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/logger.ts'
import { BatchIds } from '../../batch.ts'
import type { SealedBatch } from '../../batch.ts'
import type { BatchContents } from '../../batch-store.ts'
import { chunkOf, recordsOf } from '../../chunk.ts'
import { RedisBatchStore } from './batch-lists.ts'
import { decodeFrame } from './chunk-frame.ts'
import { Keys } from '../keys.ts'
import { Lanes } from '../lanes.ts'
import { Scripts } from '../scripts.ts'

test('on a cluster a stream is spread over nodes, and nothing is lost while a slot moves', async () => {
  await using servers = (await startRedisCluster({ masters: 3, replicas: 0 })) as RedisCluster
  const client = new Cluster([...servers.addresses], {
    maxRedirections: 200,
    retryDelayOnTryAgain: 10,
  })
  try {
    const keys = new Keys(`test-${randomBytes(8).toString('hex')}`)
    const scripts = new Scripts(client)
    const sealed: SealedBatch[] = []
    const store = await RedisBatchStore.open({
      client,
      scripts,
      durable: scripts,
      keys,
      lanes: new Lanes(client, new Scripts(client), keys),
      contents: {} as BatchContents,
      clock: systemClock,
      logger: silentLogger,
      limits: { quotaBytes: 1_000_000_000, batchesMax: 1_000, memoryShareMax: 0.75 },
      onSealed: (batch) => sealed.push(batch),
      onOpened() {},
    })
    const streamId = new BatchIds(systemClock).next()
    const target = { streamId, sizeBytesMax: 100, ageMsMax: 60_000, laneCount: 4 }
    const appended: string[] = []
    const append = async () => {
      const text = `record ${String(appended.length).padStart(4, '0')}`
      appended.push(text)
      await store.append(target, chunkOf([Buffer.from(text)], 1_783_952_116_000))
    }
    for (let count = 0; count < 100; count += 1) await append()
    const slot = await servers.slotOf(keys.lane(streamId, 1).of('open'))
    const from = await servers.ownerOf(slot)
    const to = servers.nodes.find((node) => node.port !== from.port)
    if (to === undefined) throw new Error('There is one node only')
    const moved = new AbortController()
    const appending = (async () => {
      while (!moved.signal.aborted || appended.length < 200) await append()
    })()
    await servers.moveSlot(slot, from, to)
    moved.abort()
    await appending
    await store.seal(streamId, 'flush')
    const listed: SealedBatch[] = []
    for await (const batch of store.list()) listed.push(batch)
    expect(new Set(listed)).toEqual(new Set(sealed))
    const texts: string[] = []
    for (const { batchId, lane } of listed) {
      const key = keys.lane(streamId, lane).ofBatch('chunks', batchId)
      for (const frame of await client.lrangeBuffer(key, 0, -1)) {
        texts.push(...[...recordsOf(decodeFrame(frame))].map(String))
      }
    }
    expect(texts.toSorted()).toEqual(appended)
    expect(new Set(listed.map(({ lane = 0 }) => lane))).toEqual(new Set([0, 1, 2, 3]))
    await store.discard(streamId)
    expect(store.usage()).toMatchObject({ batchCount: 0, storedBytes: 0 })
  } finally {
    client.disconnect()
  }
})
