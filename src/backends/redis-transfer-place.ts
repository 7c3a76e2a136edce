/** Composition of where `standpipe data export` and `import` work on a Redis. */
import { BATCHES_MAX } from './embedded-backend.ts'
import { RedisBatchContents } from '../redis/store/batch-contents.ts'
import { RedisBatchStore } from '../redis/store/batch-lists.ts'
import { RedisCatalogTransfer } from '../redis/catalog/catalog-transfer.ts'
import { RedisCatalog } from '../redis/catalog/catalog.ts'
import { pauseStream } from '../redis/queue/pause-stream.ts'
import type { RedisClient } from '../redis/scripts.ts'
import { checkServer } from '../redis/server-check.ts'
import { serviceClients } from '../redis/service-clients.ts'
import { acknowledgeOf, openRedisService, placeOf } from './redis-service.ts'
import { SealedBatches } from '../transfer/sealed-batches.ts'
import type { OpeningOptions } from './open-transfer-place.ts'
import type { TransferPlace } from '../transfer/transfer-place.ts'

export async function openRedisTransferPlace(
  { settings, force, keyRing, clock, logger }: OpeningOptions,
  resources: AsyncDisposableStack,
): Promise<TransferPlace> {
  const place = placeOf(settings)
  const acknowledge = acknowledgeOf(settings)
  // Unlike that of another transfer.
  const name = `transfer-${clock.randomBytes(6).toString('hex')}`
  const shared = openRedisService({ place, acknowledge, name, clock, logger }, resources)
  const { client } = shared
  await checkServer({ client, place, acknowledge, logger })
  const refuseService = () => (force ? Promise.resolve() : refuseClients(client, name))
  await refuseService()

  const catalog = new RedisCatalog(shared)
  resources.defer(() => catalog.close())
  const sealed = new SealedBatches()
  const store = await RedisBatchStore.open({
    ...shared,
    contents: new RedisBatchContents({ ...shared, keyRing }),
    limits: {
      quotaBytes: settings.diskQuotaBytes,
      batchesMax: BATCHES_MAX,
      memoryShareMax: settings.redisMemoryPercent / 100,
    },
    onOpened: () => {},
    onSealed: (batch) => sealed.add(batch),
  })
  resources.defer(() => store.close())
  return {
    catalog,
    catalogTransfer: new RedisCatalogTransfer(shared),
    store,
    keyRing,
    errorCount: () => logger.errorCount,
    takeSealed: (batchId) => sealed.take(batchId),
    pause: (streamId) => pauseStream(shared, streamId),
    refuseService,
  }
}

async function refuseClients(client: RedisClient, ownName: string): Promise<void> {
  let names: readonly string[]
  try {
    names = await serviceClients(client, ownName)
  } catch (error) {
    const reason = (error as Error).message
    throw new Error(
      `Cannot tell whether a service uses the Redis: ${reason}; if none does, say --force`,
      { cause: error },
    )
  }
  const [first] = names
  if (first === undefined) return
  throw new Error(
    `Cannot move data while a service uses the Redis: ${names.length} of its connections are open, such as ` +
      `${first}; stop it, or say --force if it has another prefix`,
  )
}
