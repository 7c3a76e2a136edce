/** Composition of where `standpipe data export` and `import` work on a Redis. */
import { BATCHES_MAX } from './embedded-backend.ts'
import { RedisBatchContents } from './redis/batch-contents.ts'
import { RedisBatchStore } from './redis/batch-lists.ts'
import { RedisCatalogTransfer } from './redis/catalog-transfer.ts'
import { RedisCatalog } from './redis/catalog.ts'
import { connect, disconnect } from './redis/connection.ts'
import { DurableScripts } from './redis/durable-scripts.ts'
import { Keys } from './redis/keys.ts'
import { Lanes } from './redis/lanes.ts'
import { pauseStream } from './redis/pause-stream.ts'
import { Scripts } from './redis/scripts.ts'
import type { RedisClient } from './redis/scripts.ts'
import { checkServer } from './redis/server-check.ts'
import { serviceClients } from './redis/service-clients.ts'
import { acknowledgeOf, placeOf } from './redis-settings.ts'
import { SealedBatches } from './transfer/sealed-batches.ts'
import type { OpeningOptions } from './transfer-place.ts'
import type { TransferPlace } from './transfer/transfer-place.ts'

export async function openRedisTransferPlace(
  { settings, force, keyRing, clock, logger }: OpeningOptions,
  resources: AsyncDisposableStack,
): Promise<TransferPlace> {
  const place = placeOf(settings)
  const acknowledge = acknowledgeOf(settings)
  // Unlike that of another transfer.
  const name = `transfer-${clock.randomBytes(6).toString('hex')}`
  const open = () => {
    const client = connect({ place, name, logger })
    resources.defer(() => disconnect(client))
    return client
  }
  const client = open()
  await checkServer({ client, place, acknowledge, logger })
  const refuseService = () => (force ? Promise.resolve() : refuseClients(client, name))
  await refuseService()
  const keys = new Keys(place.prefix)
  const scripts = new Scripts(client)
  const durable = new DurableScripts({ connect: open, acknowledge, clock })
  const lanes = new Lanes(client, keys)
  const shared = { place, client, scripts, durable, keys, lanes, clock, logger }

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
