/**
 * The embedded engine as one process runs it, composed as the service does, on simulated ground.
 */
import type { Clock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import { noMetrics } from '../../src/base/metrics.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { BatchStore, KeyRing } from '../../src/batch-store.ts'
import type { Catalog } from '../../src/catalog.ts'
import type { DeliveryQueue } from '../../src/delivery-queue.ts'
import { BatchFiles } from '../../src/embedded/batch-files.ts'
import type { FileSystem } from '../../src/embedded/file-system.ts'
import { LocalQueue } from '../../src/embedded/local-queue.ts'
import type { ObjectStore } from '../../src/object-store.ts'
import { Delivery } from '../../src/pipeline/delivery.ts'
import { LocalDeliveryHost } from '../../src/pipeline/delivery-host.ts'
import { Intake } from '../../src/pipeline/intake.ts'
import { Ledger } from '../../src/pipeline/ledger.ts'
import { StreamRegistry } from '../../src/pipeline/stream-registry.ts'
import { LINES, linesDestinationType, memorySpool } from './lines-destination.ts'
import type { PlantedBug } from './planted-bugs.ts'

export const DATA_DIRECTORY = '/data'

const CLAIMS_MAX = 4
const LIMITS = { quotaBytes: 200_000, freeBytesMin: 10_000, batchesMax: 60 }

export interface Surroundings {
  readonly fileSystem: FileSystem
  readonly catalog: Catalog
  readonly objectStore: ObjectStore
  readonly keyRing: KeyRing
  readonly clock: Clock
  readonly logger: Logger
  readonly bug: PlantedBug
}

/** One running process. */
export interface Engine {
  readonly registry: StreamRegistry
  readonly store: BatchStore
  readonly queue: DeliveryQueue
  readonly intake: Intake
  /** Rejects when a part has failed; a real process would end. */
  readonly running: Promise<unknown>
  /** As on SIGTERM: seals, delivers what is due, ends. */
  drain(): Promise<void>
}

/** Starts as the service does: recovers, lists what is there, then takes records and delivers. */
export async function startEngine(surroundings: Surroundings): Promise<Engine> {
  const { catalog, keyRing, clock, logger, objectStore, bug } = surroundings
  const fileSystem = bug.fileSystem?.(surroundings.fileSystem) ?? surroundings.fileSystem
  const registry = await StreamRegistry.open(catalog)
  const queue = new LocalQueue({ clock, claimsMax: CLAIMS_MAX, streamClaimsMax: CLAIMS_MAX })
  const announcements = new Set<Promise<void>>()

  const store = await BatchFiles.open({
    dataDirectory: DATA_DIRECTORY,
    fileSystem,
    keyRing,
    clock,
    logger,
    limits: LIMITS,
    onSealed(batch) {
      const announcement = announce(batch)
      announcements.add(announcement)
      void announcement.finally(() => announcements.delete(announcement))
    },
  })
  const ledger = new Ledger({ catalog, store, queue, logger })

  async function announce(batch: SealedBatch): Promise<void> {
    await ledger.sealed(batch)
    await queue.enqueue(batch)
  }

  for await (const batch of store.list()) {
    if ((await catalog.receipt(batch.batchId)) === undefined) await announce(batch)
    else await store.remove(batch)
  }

  const destinations = new Map([[LINES, linesDestinationType]])
  const intake = new Intake({ store, destinations, keyRing, clock })
  const destination = linesDestinationType.open({ objectStore, clock, logger })
  const delivery = new Delivery({
    host: new LocalDeliveryHost({
      queue,
      store,
      ledger,
      registry,
      destinations,
      logger,
      metrics: noMetrics,
    }),
    contents: bug.contents?.(store) ?? store,
    destinations: new Map([[LINES, bug.destination?.(destination) ?? destination]]),
    openSpool: memorySpool,
    claimsMax: CLAIMS_MAX,
    encodingsMax: 2,
    backoff: { firstMs: 1_000, maxMs: 30_000 },
    clock,
    logger,
  })
  const stopping = new AbortController()
  const draining = new AbortController()
  const intakeRun = intake.run(stopping.signal)
  const deliveryRun = delivery.run(draining.signal, new AbortController().signal)

  return {
    registry,
    store,
    queue,
    intake,
    running: Promise.all([intakeRun, deliveryRun]),
    async drain() {
      stopping.abort()
      await store.sealAll('drain')
      await Promise.all(announcements)
      draining.abort()
      await Promise.all([intakeRun, deliveryRun])
      await store.close()
      await queue.close()
      await catalog.close()
    },
  }
}
