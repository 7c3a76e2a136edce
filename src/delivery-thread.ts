/** Composition root of a worker thread: claims by message; reads batches and delivers by itself. */
import { strict as assert } from 'node:assert'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { openDestinations } from '../destinations/index.ts'
import type { Backoff } from './base/backoff.ts'
import { BufferPool } from './base/buffer-pool.ts'
import { systemClock } from './base/clock.ts'
import type { Clock } from './base/clock.ts'
import type { Logger } from './base/logger.ts'
import type { BatchContents, KeyRing } from './batch-store.ts'
import { BatchFileContents } from './embedded/batch-contents.ts'
import { LocalKeyRing, NO_KEYS } from './embedded/local-key-ring.ts'
import { nodeFileSystem } from './embedded/node-file-system.ts'
import { PortDeliveryHost } from './threads/port-delivery-host.ts'
import { StagedBytes } from './embedded/staged-bytes.ts'
import type { ThreadContents } from './backends/opened-backend.ts'
import { ErrorObjects } from './objects/error-objects.ts'
import { openObjectStore } from './objects/object-store-place.ts'
import type { ObjectStorePlace } from './objects/object-store-place.ts'
import { openSpool } from './objects/spool.ts'
import { Delivery } from './pipeline/delivery.ts'
import { Processing } from './pipeline/processing.ts'
import { openProcessorTools } from './processor-tools.ts'
import type { ProcessorSettings } from './processor-tools.ts'
import { HostConnections } from './settings/host-connections.ts'
import type { ConnectionsData } from './settings/host-connections.ts'

export interface DeliveryThreadData {
  readonly contents: ThreadContents
  readonly spoolDirectory: string
  /** Wrapping keys as in the settings; absent: no stream is encrypted. */
  readonly sseKey: string | undefined
  readonly objectStore: ObjectStorePlace
  readonly connections: ConnectionsData
  readonly processors: ProcessorSettings
  readonly claimsMax: number
  readonly backoff: Backoff
}

/** Encoding keeps a processor busy, so one at a time; deliveries wait for the network side by side. */
const ENCODINGS_MAX = 1
/** Each may gather 32 MiB of records; those that wait for a slow function don't count. */
const PROCESSINGS_MAX = 2

if (!isMainThread) await run(workerData as DeliveryThreadData)

async function run(data: DeliveryThreadData): Promise<void> {
  assert(parentPort !== null)
  const host = new PortDeliveryHost(parentPort)
  const { logger } = host
  const clock = systemClock
  const buffers = new BufferPool()
  const objectStore = await openObjectStore(data.objectStore, clock, logger)
  const connections = new HostConnections(data.connections)
  const context = { objectStore, objectReader: objectStore, connections, clock, logger }
  const destinations = openDestinations(context)
  await using resources = new AsyncDisposableStack()
  const keyRing = openKeyRing(data.sseKey)
  const contents = await openContents(data.contents, { keyRing, clock, logger }, resources)
  await using tools = openProcessorTools(data.processors, clock, logger)
  const delivery = new Delivery({
    host,
    contents,
    processing: new Processing(contents, tools),
    processingsMax: PROCESSINGS_MAX,
    destinations,
    errorOutput: new ErrorObjects(objectStore),
    openSpool: (encrypt) => openSpool({ directory: data.spoolDirectory, clock, buffers, encrypt }),
    claimsMax: data.claimsMax,
    encodingsMax: ENCODINGS_MAX,
    backoff: data.backoff,
    clock,
    logger,
  })
  // Draining is the node's to say: it answers claims with nothing.
  await delivery.run(new AbortController().signal, host.aborted)
  await Promise.all([...destinations.values()].map((destination) => destination.close()))
  await objectStore.close()
  host.close()
}

interface ContentsContext {
  readonly keyRing: KeyRing
  readonly clock: Clock
  readonly logger: Logger
}

async function openContents(
  contents: ThreadContents,
  { keyRing, clock, logger }: ContentsContext,
  resources: AsyncDisposableStack,
): Promise<BatchContents> {
  if (contents.kind === 'redis') {
    const { openRedisContents } = await import('./backends/redis-contents.ts')
    return openRedisContents(contents, { keyRing, clock, logger }, resources)
  }
  const { dataDirectory, stagedBytes, stagingFreeBytesMin } = contents
  return new BatchFileContents({
    dataDirectory,
    fileSystem: nodeFileSystem,
    keyRing,
    clock,
    logger,
    stagedBytes: new StagedBytes(stagedBytes),
    stagingFreeBytesMin,
  })
}

function openKeyRing(sseKey: string | undefined): KeyRing {
  return sseKey === undefined ? NO_KEYS : LocalKeyRing.fromSetting(sseKey, systemClock)
}
