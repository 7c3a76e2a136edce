/**
 * Composition root, second half: starts what engine.ts has put together, and stops it in reverse.
 */
import { readFile } from 'node:fs/promises'
import { ApiServer } from './api/server.ts'
import { parseHostAndPort } from './base/network-address.ts'
import { DeliveryThreads } from './threads/delivery-threads.ts'
import { openEngine } from './engine.ts'
import type { Engine, EngineOptions } from './engine.ts'
import { forgetOldReceipts } from './pipeline/receipt-retention.ts'
import type { Settings } from './settings.ts'

const DAY_MS = 86_400_000

export interface DrainOutcome {
  /** The time was over, or there was none: what was in hand was given up. */
  readonly cutShort: boolean
  /** Batches that are not delivered, kept for the next start, or for others. */
  readonly leftBatchCount: number
}

export interface Service extends AsyncDisposable {
  /** Of the first listener, e.g. `http://127.0.0.1:4573`. */
  readonly url: string
  /**
   * Takes nothing new, seals what is open, delivers what is due and stops; within `drainTimeoutMs`,
   * after which deliveries are given up. What is not delivered then is kept, for the next start. On a
   * Redis, which others work on, it only ends what it has in hand.
   * A second call gives the first one's promise.
   */
  drain(): Promise<DrainOutcome>
}

/**
 * Starts the service, or the part of it that the role names: recovers what an earlier process left,
 * declares the streams of the settings, and listens.
 * @throws what an operator can mend (address in use, directory locked, wrong key) as it is
 */
export async function startService(options: EngineOptions): Promise<Service> {
  await using resources = new AsyncDisposableStack()
  const engine = await openEngine(options, resources)
  const servers = await listen(options, engine, resources)
  const loops = startLoops(options, engine)
  return new RunningService({ options, engine, servers, loops, resources: resources.move() })
}

/** What runs until it is told to stop, each as one promise. */
interface Loops {
  /** Ends the sealing of batches by age, and the pruning of receipts. */
  readonly stop: AbortController
  /** Ends the reading of sources. */
  readonly stopSources: AbortController
  /** Ends what the backend does beside intake and delivery. */
  readonly stopBackend: AbortController
  /** Threads deliver what is due and end. */
  readonly drainThreads: AbortController
  /** Threads give up what they have and end. */
  readonly abortThreads: AbortController
  readonly housekeeping: Promise<unknown>
  /** Nothing more is read, and what is being appended is there. */
  readonly sources: Promise<void>
  readonly threads: Promise<void>
  readonly backend: Promise<void>
}

function startLoops({ settings, role, clock, logger }: EngineOptions, engine: Engine): Loops {
  const stop = new AbortController()
  const stopSources = new AbortController()
  const stopBackend = new AbortController()
  const drainThreads = new AbortController()
  const abortThreads = new AbortController()
  const { intake, catalog } = engine.context
  const retentionMs = settings.receiptRetentionDays * DAY_MS
  const threads = new DeliveryThreads({
    host: engine.host,
    leavesRest: engine.backend.isShared,
    module: new URL('delivery-thread.ts', import.meta.url),
    workerData: engine.threadData,
    threadCount: settings.workers,
    clock,
    logger,
  })
  return {
    stop,
    stopSources,
    stopBackend,
    drainThreads,
    abortThreads,
    housekeeping: Promise.all([
      // Also where nothing is received: it seals what others have left open, and looks at the room.
      intake.run(stop.signal),
      forgetOldReceipts({ catalog, retentionMs, clock, logger }, stop.signal),
    ]),
    sources: role === 'api' ? Promise.resolve() : engine.sources.run(stopSources.signal),
    threads:
      role === 'api' ? Promise.resolve() : threads.run(drainThreads.signal, abortThreads.signal),
    backend: engine.backend.run(stopBackend.signal),
  }
}

async function listen(
  { settings, clock }: EngineOptions,
  { handler }: Engine,
  resources: AsyncDisposableStack,
): Promise<readonly ApiServer[]> {
  const tls = await readCertificate(settings)
  const plain = {
    address: settings.listen,
    tls: settings.tlsListen === undefined ? tls : undefined,
  }
  const addresses = [plain]
  if (settings.tlsListen !== undefined) addresses.push({ address: settings.tlsListen, tls })
  const servers: ApiServer[] = []
  for (const { address, tls } of addresses) {
    const { host, port } = parseHostAndPort(address) ?? { host: address, port: 0 }
    const server = new ApiServer({ host, port, handler, clock, ...(tls && { tls }) })
    await server.listen()
    resources.defer(() => server.drain(AbortSignal.abort()))
    servers.push(server)
  }
  return servers
}

async function readCertificate({ tlsCert, tlsKey }: Settings) {
  if (tlsCert === undefined || tlsKey === undefined) return undefined
  return { cert: await readFile(tlsCert), key: await readFile(tlsKey) }
}

interface RunningServiceParts {
  readonly options: EngineOptions
  readonly engine: Engine
  readonly servers: readonly ApiServer[]
  readonly loops: Loops
  readonly resources: AsyncDisposableStack
}

class RunningService implements Service {
  readonly url: string
  readonly #parts: RunningServiceParts
  #drained: Promise<DrainOutcome> | undefined

  constructor(parts: RunningServiceParts) {
    this.#parts = parts
    this.url = parts.servers[0]?.url ?? ''
  }

  drain(): Promise<DrainOutcome> {
    this.#drained ??= this.#drain(this.#parts.options.settings.drainTimeoutMs)
    return this.#drained
  }

  /** Stops at once, as far as that loses nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#drained ??= this.#drain(0)
    await this.#drained
  }

  async #drain(timeoutMs: number): Promise<DrainOutcome> {
    const { options, engine, servers, loops, resources } = this.#parts
    const finished = new AbortController()
    void options.clock.sleep(timeoutMs, finished.signal).then(() => loops.abortThreads.abort())
    // Functions may keep one waiting for minutes, and nothing depends on it.
    engine.context.explainer.stop()
    try {
      loops.stopSources.abort()
      const drained = servers.map((server) => server.drain(loops.abortThreads.signal))
      await Promise.all([...drained, loops.sources])
      loops.stop.abort()
      const receiving = Promise.all([loops.housekeeping, engine.context.replays.close()])
      if (!engine.backend.isShared) {
        await receiving
        await engine.context.store.sealAll('drain')
      }
      // What others have open, too, is theirs to fill, and theirs to deliver.
      loops.drainThreads.abort()
      await Promise.all([receiving, loops.threads])
      loops.stopBackend.abort()
      await loops.backend
      return {
        cutShort: loops.abortThreads.signal.aborted,
        leftBatchCount: engine.context.store.usage().batchCount,
      }
    } finally {
      finished.abort()
      await resources.disposeAsync()
    }
  }
}
