import type { Logger } from '../base/logger.ts'
import type { SealedBatch } from '../batch.ts'
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
  const { store, queue, ledger, registry } = options
  for (const { streamId, paused } of registry.list()) {
    if (paused === true) await queue.pause(streamId)
  }
  const entering: Promise<void>[] = []
  for await (const batch of store.list()) {
    if (!(await isToBeDelivered(batch, options))) continue
    entering.push(ledger.sealed(batch))
    await queue.enqueue(batch)
  }
  await Promise.all(entering)
}

/** The same for one that the disk did not let be recovered at start. */
export async function enqueueRecovered(batch: SealedBatch, options: BacklogOptions): Promise<void> {
  const { queue, ledger, logger } = options
  try {
    if (!(await isToBeDelivered(batch, options))) return
    await Promise.all([ledger.sealed(batch), queue.enqueue(batch)])
  } catch (error) {
    const { batchId, streamId } = batch
    logger.error({ batchId, streamId, error }, 'A batch that was recovered waits for a restart.')
  }
}

async function isToBeDelivered(
  batch: SealedBatch,
  { store, catalog, registry, logger }: BacklogOptions,
): Promise<boolean> {
  const { batchId, streamId, recordCount } = batch
  if (registry.byId(streamId) === undefined) {
    logger.error({ batchId, streamId, recordCount }, 'A batch belongs to no known stream.')
    return false
  }
  if ((await catalog.receipt(batchId)) === undefined) return true
  await store.remove(batch)
  return false
}
