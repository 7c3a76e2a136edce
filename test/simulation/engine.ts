/**
 * The embedded engine as one process runs it, composed as the service does, on simulated ground.
 */
import { BufferPool } from '../../src/base/buffer-pool.ts'
import type { Clock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import { noMetrics } from '../../src/base/metrics.ts'
import type { BatchId } from '../../src/batch.ts'
import type { BatchContents, BatchStore, KeyRing } from '../../src/batch-store.ts'
import type { Catalog } from '../../src/catalog.ts'
import { NO_CONNECTIONS } from '../../src/connections.ts'
import type { DeliveryQueue } from '../../src/delivery-queue.ts'
import type { DestinationType } from '../../src/destination.ts'
import { BatchFileContents } from '../../src/embedded/batch-contents.ts'
import { BatchFiles } from '../../src/embedded/batch-files.ts'
import type { FileSystem } from '../../src/embedded/file-system.ts'
import { LocalQueue } from '../../src/embedded/local-queue.ts'
import { StagedBytes } from '../../src/embedded/staged-bytes.ts'
import type { Functions } from '../../src/functions.ts'
import type { ObjectStore } from '../../src/object-store.ts'
import { ErrorObjects } from '../../src/objects/error-objects.ts'
import { openSpool } from '../../src/objects/spool.ts'
import { enqueueBacklog, enqueueRecovered } from '../../src/pipeline/backlog.ts'
import { Delivery } from '../../src/pipeline/delivery.ts'
import { LocalDeliveryHost } from '../../src/pipeline/delivery-host.ts'
import type { DeliveryHost } from '../../src/pipeline/delivery-host.ts'
import { Intake } from '../../src/pipeline/intake.ts'
import { LocalLedger } from '../../src/pipeline/ledger.ts'
import { Processing } from '../../src/pipeline/processing.ts'
import { StreamRegistry } from '../../src/pipeline/stream-registry.ts'
import type { ProcessorTools } from '../../src/processors/index.ts'
import { override } from './planted-bug.ts'
import type { PlantedBug } from './planted-bug.ts'

export const DATA_DIRECTORY = '/data'

const CLAIMS_MAX = 4
/** Deliveries that take longer when the process ends are given up. */
const DRAIN_MS_MAX = 10_000
/** So few that some batches have more. */
export const PARTITIONS_MAX = 20
const STAGING_FREE_BYTES_MIN = 5_000
const LIMITS = { quotaBytes: 200_000, freeBytesMin: 10_000, batchesMax: 60 }

export interface Surroundings {
  readonly fileSystem: FileSystem
  readonly catalog: Catalog
  readonly objectStore: ObjectStore
  readonly functions: Functions
  /** Told of each claim that is lent. */
  readonly onLend: (batchId: BatchId) => void
  /** Puts something around what workers do with batches. */
  readonly watch: (contents: BatchContents) => BatchContents
  readonly destinationTypes: readonly DestinationType[]
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

/** Starts as the service does: recovers what is there, then takes records and delivers. */
export async function startEngine(surroundings: Surroundings): Promise<Engine> {
  const { catalog, keyRing, clock, logger, objectStore, bug } = surroundings
  const fileSystem = bug.fileSystem?.(surroundings.fileSystem) ?? surroundings.fileSystem
  await fileSystem.makeDirectory(DATA_DIRECTORY)
  const queue = new LocalQueue({ clock, claimsMax: CLAIMS_MAX, streamClaimsMax: CLAIMS_MAX / 2 })
  const files = {
    dataDirectory: DATA_DIRECTORY,
    fileSystem,
    keyRing,
    clock,
    logger,
    stagedBytes: new StagedBytes(),
  }
  const store = await BatchFiles.open({
    ...files,
    limits: LIMITS,
    onSealed(batch) {
      void ledger.sealed(batch)
      void queue.enqueue(batch)
    },
    onRecovered: (batch) =>
      void enqueueRecovered(batch, { store, queue, catalog, ledger, registry, logger }),
  })
  const ledger = new LocalLedger({ catalog, store, queue, logger })
  const registry = await StreamRegistry.open(catalog)
  const destinations = new Map(surroundings.destinationTypes.map((type) => [type.name, type]))
  const intake = new Intake({ store, destinations, keyRing, clock })
  await enqueueBacklog({ store, queue, catalog, ledger, registry, logger })

  const hosted = { queue, store, ledger, registry, destinations, logger, metrics: noMetrics }
  const real = new BatchFileContents({ ...files, stagingFreeBytesMin: STAGING_FREE_BYTES_MIN })
  const contents = surroundings.watch(bug.contents?.(real) ?? real)
  // Streams of a simulation have no others.
  const tools = { functions: surroundings.functions, partitionsMax: PARTITIONS_MAX, clock }
  const local = new LocalDeliveryHost(hosted)
  const watched = override<DeliveryHost>(local, {
    lend(claim) {
      surroundings.onLend(claim.batch.batchId)
      return local.lend(claim)
    },
  })
  const processing = new Processing(contents, tools as ProcessorTools)
  const context = { objectStore, connections: NO_CONNECTIONS, clock, logger }
  const delivery = new Delivery({
    host: bug.host?.(watched) ?? watched,
    contents,
    processing: bug.processing?.(processing, contents) ?? processing,
    destinations: new Map(
      [...destinations].map(([name, type]) => {
        const destination = type.open(context)
        return [name, bug.destination?.(destination) ?? destination]
      }),
    ),
    errorOutput: new ErrorObjects(objectStore),
    // Small enough to stay in memory.
    openSpool: (encrypt) =>
      openSpool({ directory: '/nowhere', clock, buffers: new BufferPool(), encrypt }),
    claimsMax: CLAIMS_MAX,
    processingsMax: 2,
    encodingsMax: 1,
    // Sooner than in earnest, so that a short life has retries.
    backoff: { firstMs: 200, maxMs: 30_000 },
    clock,
    logger,
  })
  const stopping = new AbortController()
  const draining = new AbortController()
  const aborting = new AbortController()
  const intakeRun = intake.run(stopping.signal)
  const deliveryRun = delivery.run(draining.signal, aborting.signal)

  return {
    registry,
    store,
    queue,
    intake,
    running: Promise.all([intakeRun, deliveryRun]),
    async drain() {
      void clock.sleep(DRAIN_MS_MAX).then(() => aborting.abort())
      stopping.abort()
      await intakeRun
      await store.sealAll('drain')
      draining.abort()
      await deliveryRun
      await store.close()
      await queue.close()
      await catalog.close()
    },
  }
}
