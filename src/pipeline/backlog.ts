import type { Logger } from '../base/logger.ts'
import type { BatchStore } from '../batch-store.ts'
import type { Catalog } from '../catalog.ts'
import type { DeliveryQueue } from '../delivery-queue.ts'
import type { Ledger } from './ledger.ts'
import type { StreamRegistry } from './stream-registry.ts'

export interface BacklogOptions {
  readonly store: BatchStore
  readonly queue: DeliveryQueue
  readonly catalog: Catalog
  readonly ledger: Ledger
  readonly registry: StreamRegistry
  readonly logger: Logger
}

/**
 * Puts the batches that an earlier process left into the queue, where paused streams are paused. One
 * with a receipt has been delivered and was only not removed any more. One of no known stream is left
 * where it is, and reported.
 */
export async function enqueueBacklog(options: BacklogOptions): Promise<void> {
  const { store, queue, catalog, ledger, registry, logger } = options
  for (const { streamId, paused } of registry.list()) {
    if (paused === true) await queue.pause(streamId)
  }
  const entering: Promise<void>[] = []
  for await (const batch of store.list()) {
    if (registry.byId(batch.streamId) === undefined) {
      const { batchId, streamId, recordCount } = batch
      logger.error({ batchId, streamId, recordCount }, 'A batch belongs to no known stream.')
      continue
    }
    if ((await catalog.receipt(batch.batchId)) !== undefined) {
      await store.remove(batch)
      continue
    }
    entering.push(ledger.sealed(batch))
    await queue.enqueue(batch)
  }
  await Promise.all(entering)
}
