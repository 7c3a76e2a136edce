/** Composition of the Redis backend: what this process does in a Redis that others use, too. */
import { parseHostAndPort } from './base/network-address.ts'
import { BATCHES_MAX } from './embedded-backend.ts'
import { CLAIMS_PER_THREAD } from './opened-backend.ts'
import type { BackendOptions, OpenedBackend } from './opened-backend.ts'
import { RedisBatchContents } from './redis/batch-contents.ts'
import { RedisBatchStore } from './redis/batch-lists.ts'
import { RedisCatalog } from './redis/catalog.ts'
import { connect, disconnect } from './redis/connection.ts'
import { RedisQueue } from './redis/delivery-queue.ts'
import { DurableScripts } from './redis/durable-scripts.ts'
import { Keys } from './redis/keys.ts'
import { Lanes } from './redis/lanes.ts'
import { RedisLedger } from './redis/ledger.ts'
import { Scripts } from './redis/scripts.ts'
import { checkServer } from './redis/server-check.ts'
import { acknowledgeOf, placeOf } from './redis-settings.ts'

export async function openRedisBackend(
  { settings, role, keyRing, clock, logger }: BackendOptions,
  resources: AsyncDisposableStack,
): Promise<OpenedBackend> {
  const place = placeOf(settings)
  const acknowledge = acknowledgeOf(settings)
  const client = connect({ place, name: 'node', logger })
  resources.defer(() => disconnect(client))
  await checkServer({ client, place, acknowledge, logger })
  const keys = new Keys(place.prefix)
  const scripts = new Scripts(client)
  const durable = new DurableScripts({
    connect: () => connect({ place, name: 'durable', logger }),
    acknowledge,
    clock,
  })
  resources.defer(() => durable.close())
  const lanes = new Lanes(client, keys)
  const shared = { place, client, scripts, durable, keys, lanes, clock, logger }

  const catalog = new RedisCatalog({
    ...shared,
    onGone: async (streamId) => {
      await store.discard(streamId)
      await queue.discard(streamId)
    },
  })
  resources.defer(() => catalog.close())
  const contents = new RedisBatchContents({ ...shared, keyRing })
  const queue = new RedisQueue({
    ...shared,
    claimsMax: role === 'api' ? 0 : settings.workers * CLAIMS_PER_THREAD,
    streamClaimsMax: settings.redisStreamClaims,
    lockMs: settings.redisLockMs,
    sealUnsealed: (streamId, lane, batchId) => store.sealBatch(streamId, lane, batchId, 'age'),
    onDelivered: (batch) => store.remove(batch),
  })
  resources.defer(() => queue.close())
  const store = await RedisBatchStore.open({
    ...shared,
    contents,
    limits: {
      quotaBytes: settings.diskQuotaBytes,
      batchesMax: BATCHES_MAX,
      memoryShareMax: settings.redisMemoryPercent / 100,
    },
    onOpened: (batch, dueInMs) => void queue.expect(batch, dueInMs),
    onSealed: ({ streamId, lane }) => void queue.feed(streamId, lane ?? 0),
  })
  resources.defer(() => store.close())
  if (settings.bullBoardListen !== undefined) {
    const { openBullBoard } = await import('./redis/bull-board.ts')
    const { host, port } = parseHostAndPort(settings.bullBoardListen) ?? { host: '', port: 0 }
    resources.use(await openBullBoard({ place, keys, host, port, logger }))
  }
  return {
    catalog,
    store,
    queue,
    ledger: new RedisLedger({ ...shared, catalog }),
    contents: { kind: 'redis', place, acknowledge },
    isShared: true,
    // All of it is where it was; the reconciler finds what fell between two steps.
    recover: async () => {},
    run: (signal) => queue.run(signal),
  }
}
