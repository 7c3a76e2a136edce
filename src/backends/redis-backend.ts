/** Composition of the Redis backend: what this process does in a Redis that others use, too. */
import { parseHostAndPort } from '../base/network-address.ts'
import { BATCHES_MAX } from './embedded-backend.ts'
import { CLAIMS_PER_THREAD } from './opened-backend.ts'
import type { BackendOptions, OpenedBackend } from './opened-backend.ts'
import { RedisBatchContents } from '../redis/store/batch-contents.ts'
import { RedisBatchStore } from '../redis/store/batch-lists.ts'
import { RedisCatalog } from '../redis/catalog/catalog.ts'
import { RedisQueue } from '../redis/queue/delivery-queue.ts'
import { RedisLedger } from '../redis/catalog/ledger.ts'
import { RedisPartitionLeases } from '../redis/partition-leases.ts'
import { checkServer } from '../redis/server-check.ts'
import { acknowledgeOf, openRedisService, placeOf } from './redis-service.ts'

export async function openRedisBackend(
  { settings, role, keyRing, clock, logger }: BackendOptions,
  resources: AsyncDisposableStack,
): Promise<OpenedBackend> {
  const place = placeOf(settings)
  const acknowledge = acknowledgeOf(settings)
  const options = { place, acknowledge, name: 'node', clock, logger }
  const shared = openRedisService(options, resources)
  const { client, keys } = shared
  await checkServer({ client, place, acknowledge, logger })

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
    const { openBullBoard } = await import('../redis/queue/bull-board.ts')
    const { host, port } = parseHostAndPort(settings.bullBoardListen) ?? { host: '', port: 0 }
    resources.use(await openBullBoard({ place, keys, host, port, logger }))
  }
  return {
    catalog,
    store,
    queue,
    leases: new RedisPartitionLeases(shared),
    ledger: new RedisLedger({ ...shared, catalog }),
    contents: { kind: 'redis', place, acknowledge },
    isShared: true,
    // All of it is where it was; the reconciler finds what fell between two steps.
    recover: async () => {},
    run: (signal) => queue.run(signal),
  }
}
