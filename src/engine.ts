/**
 * Composition root, first half: puts the rooms together on a backend, and recovers what an earlier
 * process left. Nothing runs yet; service.ts starts and stops it.
 */
import { join } from 'node:path'
import { destinationTypes } from '../destinations/index.ts'
import { AccessKeys } from './api/access-keys.ts'
import type { ApiContext } from './api/context.ts'
import { ApiError } from './api/exceptions.ts'
import { declareStream } from './api/operations/declare-stream.ts'
import { finishDeletions } from './api/operations/delete-delivery-stream.ts'
import { operations } from './api/operations/index.ts'
import { RequestHandler } from './api/request-handler.ts'
import { metricsRoute } from './api/rest/metrics.ts'
import { healthRoutes, routes } from './api/rest/index.ts'
import { BufferPool } from './base/buffer-pool.ts'
import type { Clock } from './base/clock.ts'
import type { JsonObject } from './base/json.ts'
import type { Logger } from './base/logger.ts'
import { makeDirectories } from './base/make-directories.ts'
import { PrometheusMetrics } from './base/prometheus-metrics.ts'
import type { DeliveryThreadData } from './delivery-thread.ts'
import { BatchIds } from './batch.ts'
import { ConfigurationError } from './destination.ts'
import { DeferredExplainer } from './deferred-explainer.ts'
import { AuditFile } from './embedded/audit-file.ts'
import { DataLock } from './embedded/data-lock.ts'
import { LocalKeyRing, NO_KEYS } from './embedded/local-key-ring.ts'
import { openEmbeddedBackend } from './backends/embedded-backend.ts'
import { LocalFunctionReports } from './functions/function-reports.ts'
import { sweepPartialObjects } from './objects/folder-object-store.ts'
import { openObjectStore } from './objects/object-store-place.ts'
import type { ObjectStorePlace } from './objects/object-store-place.ts'
import { sweepSpools } from './objects/spool.ts'
import { CLAIMS_PER_THREAD } from './backends/opened-backend.ts'
import type { OpenedBackend, Role } from './backends/opened-backend.ts'
import { LocalDeliveryHost } from './pipeline/delivery-host.ts'
import { Intake } from './pipeline/intake.ts'
import { checkProcessing } from './pipeline/processing-check.ts'
import { StreamRegistry } from './pipeline/stream-registry.ts'
import { streamSamples } from './pipeline/stream-samples.ts'
import { LocalSources } from './sources/local-sources.ts'
import { sourceTypes } from './sources/index.ts'
import { openProcessorTools, processorSettings } from './processor-tools.ts'
import { LocalReplays } from './replay/local-replays.ts'
import { HostConnections } from './settings/host-connections.ts'
import type { ObjectStoreChoice, Settings } from './settings.ts'
import type { SourceReports } from './source-reports.ts'

export interface EngineOptions {
  readonly settings: Settings
  readonly role: Role
  readonly objectStore: ObjectStoreChoice
  readonly clock: Clock
  readonly logger: Logger
}

/** All that lives in this process, opened and recovered; nothing runs yet. */
export interface Engine {
  readonly context: ApiContext
  readonly backend: OpenedBackend
  readonly host: LocalDeliveryHost
  /** Run in the roles that deliver. */
  readonly sources: LocalSources
  readonly threadData: DeliveryThreadData
  readonly handler: RequestHandler
}

/** Opens everything; what must be closed again goes to `resources`, which closes in reverse. */
export async function openEngine(
  { settings, role, objectStore, clock, logger }: EngineOptions,
  resources: AsyncDisposableStack,
): Promise<Engine> {
  const { dataDir, sseKey } = settings
  const accessKeys =
    settings.accessKeys.length > 0 ? new AccessKeys(settings.accessKeys, clock) : undefined
  const keyRing = sseKey === undefined ? undefined : LocalKeyRing.fromSetting(sseKey, clock)
  await makeDirectories(dataDir).catch((cause: Error) => {
    throw new Error(`Cannot use data directory ${dataDir}: ${cause.message}`, { cause })
  })
  resources.adopt(DataLock.acquire(dataDir), (held) => held.release())
  const spoolDirectory = join(dataDir, 'spool')
  await sweepSpools(spoolDirectory)
  if (objectStore.kind === 'folder') await sweepPartialObjects(objectStore.place)

  // Loaded when it is asked for: BullMQ and the rest take a while.
  const openBackend =
    settings.backend === 'embedded'
      ? openEmbeddedBackend
      : (await import('./backends/redis-backend.ts')).openRedisBackend
  const backend = await openBackend(
    {
      settings,
      role,
      keyRing: keyRing ?? NO_KEYS,
      clock,
      logger,
      registry: () => registry,
    },
    resources,
  )
  const { catalog, store, queue, ledger } = backend
  const registry = await StreamRegistry.open(catalog)
  const following = new AbortController()
  resources.defer(() => following.abort())
  registry.follow(logger, following.signal)
  const intake = new Intake({
    store,
    destinations: destinationTypes,
    keyRing: keyRing ?? NO_KEYS,
    clock,
  })
  const place = placeOf(objectStore, settings)
  const replays = new LocalReplays({
    openStore: () => openObjectStore(place, clock, logger),
    registry,
    intake,
    store,
    catalog,
    batchIds: new BatchIds(clock),
    clock,
    logger,
  })
  resources.defer(() => replays.close())
  const metrics = new PrometheusMetrics({
    streams: () =>
      streamSamples({ registry, ledger, destinations: destinationTypes, sourceReports, clock }),
    store: () => store.usage(),
  })
  const audit = new AuditFile(settings.auditFile ?? join(dataDir, 'audit.jsonl'), logger)
  resources.defer(() => audit.close())
  const functionReports = new LocalFunctionReports(clock)
  const processors = processorSettings(settings)
  const tools = resources.use(openProcessorTools(processors, clock, logger))
  const connections = { connections: settings.connections, secrets: settings.secrets }
  const explainer = resources.use(
    new DeferredExplainer({ place, spoolDirectory, connections, tools, clock, logger }),
  )
  const sources = new LocalSources({
    types: sourceTypes,
    registry,
    intake,
    store,
    ledger,
    leases: backend.leases,
    metrics,
    backlogBytesMax: settings.sourceBacklogBytes,
    tools: {
      connections: new HostConnections(connections),
      kinesisEndpoint: settings.kinesisEndpoint,
      region: settings.region,
      clock,
      logger,
    },
  })
  const sourceReports: SourceReports = role === 'api' ? { report: () => undefined } : sources
  const context: ApiContext = {
    accountId: settings.accountId,
    region: settings.region,
    configuration: { strictAws: settings.strictAws, objectStoreKind: objectStore.kind },
    destinations: destinationTypes,
    sources: sourceTypes,
    registry,
    intake,
    store,
    queue,
    catalog,
    ledger,
    replays,
    functionReports,
    sourceReports,
    explainer,
    checkProcessing: (destination) => checkProcessing(destination, tools),
    dataKeys: keyRing,
    buffers: new BufferPool(),
    clock,
    logger,
    metrics,
  }
  if (role !== 'worker') {
    await finishDeletions(context)
    await declareStreams(settings, context)
  }
  await backend.recover(context)
  return {
    context,
    backend,
    sources,
    host: new LocalDeliveryHost({
      ...context,
      onExecution: (streamName, execution) => functionReports.observe(streamName, execution),
    }),
    threadData: {
      contents: backend.contents,
      spoolDirectory,
      sseKey,
      objectStore: place,
      connections,
      processors,
      claimsMax: CLAIMS_PER_THREAD,
      backoff: { firstMs: settings.retryBackoffFirstMs, maxMs: settings.retryBackoffMaxMs },
    },
    handler: new RequestHandler({
      context,
      operations: role === 'worker' ? new Map() : operations,
      routes: [
        ...(role === 'worker' ? healthRoutes : routes),
        metricsRoute(metrics.contentType, () => metrics.text()),
      ],
      accessKeys,
      allowedHosts: settings.insecureOpen ? 'any' : settings.allowedHosts,
      metricsToken: settings.metricsToken,
      audit,
    }),
  }
}

async function declareStreams({ deliveryStreams }: Settings, context: ApiContext): Promise<void> {
  for (const properties of deliveryStreams) {
    const name = properties.DeliveryStreamName
    // What a stream depends on may be starting just now, as in a docker-compose stack.
    const checkProcessing = async (destination: JsonObject): Promise<void> => {
      try {
        await context.checkProcessing(destination)
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error
        const fields = { deliveryStreamName: name, reason: error.message }
        context.logger.error(fields, 'A declared stream names what is not there.')
      }
    }
    const declaring = { ...context, checkProcessing }
    const outcome = await declareStream(declaring, properties).catch(async (error: unknown) => {
      // Another process of the same settings may have made it in this moment.
      if (!(error instanceof ApiError && error.type === 'ResourceInUseException')) throw error
      await context.registry.refresh()
      return await declareStream(declaring, properties)
    })
    context.logger.info({ deliveryStreamName: name, outcome }, 'A stream was declared.')
  }
}

function placeOf({ kind, place }: ObjectStoreChoice, settings: Settings): ObjectStorePlace {
  if (kind === 'folder') return { kind, root: place }
  const { region, s3Endpoint, s3ForcePathStyle, s3RequestTimeoutMs } = settings
  return {
    kind,
    region,
    forcePathStyle: s3ForcePathStyle ?? s3Endpoint !== undefined,
    requestTimeoutMs: s3RequestTimeoutMs,
    ...(s3Endpoint === undefined ? {} : { endpoint: s3Endpoint }),
  }
}
