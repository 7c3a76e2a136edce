/** Composition of the explainer: opened by the first who asks, for destinations are the threads' affair. */
import { openDestinations } from '../destinations/index.ts'
import { BufferPool } from './base/buffer-pool.ts'
import type { Clock } from './base/clock.ts'
import type { Logger } from './base/logger.ts'
import type { DeliveryStream } from './delivery-stream.ts'
import type { Explainer, Explanation } from './explanation.ts'
import { ErrorObjects } from './objects/error-objects.ts'
import { openObjectStore } from './objects/object-store-place.ts'
import type { ObjectStorePlace } from './objects/object-store-place.ts'
import { openSpool } from './objects/spool.ts'
import { LocalExplainer } from './pipeline/local-explainer.ts'
import type { ProcessorTools } from './processors/index.ts'
import { HostConnections } from './settings/host-connections.ts'
import type { ConnectionsData } from './settings/host-connections.ts'

export interface DeferredExplainerOptions {
  readonly place: ObjectStorePlace
  readonly spoolDirectory: string
  readonly connections: ConnectionsData
  readonly tools: ProcessorTools
  readonly clock: Clock
  readonly logger: Logger
}

export class DeferredExplainer implements Explainer, AsyncDisposable {
  readonly #options: DeferredExplainerOptions
  readonly #resources = new AsyncDisposableStack()
  #opened: Promise<LocalExplainer> | undefined

  constructor(options: DeferredExplainerOptions) {
    this.#options = options
  }

  async explain(stream: DeliveryStream, data: Buffer): Promise<Explanation> {
    this.#opened ??= this.#open()
    return (await this.#opened).explain(stream, data)
  }

  stop(): void {
    void this.#opened?.then(
      (explainer) => explainer.stop(),
      () => {},
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened?.catch(() => {})
    await this.#resources.disposeAsync()
  }

  async #open(): Promise<LocalExplainer> {
    const { place, spoolDirectory: directory, tools, clock, logger } = this.#options
    const objectStore = await openObjectStore(place, clock, logger)
    this.#resources.defer(() => objectStore.close())
    const connections = new HostConnections(this.#options.connections)
    const context = { objectStore, objectReader: objectStore, connections, clock, logger }
    const destinations = openDestinations(context)
    for (const destination of destinations.values()) {
      this.#resources.defer(() => destination.close())
    }
    const buffers = new BufferPool()
    return new LocalExplainer({
      destinations,
      errorOutput: new ErrorObjects(objectStore),
      tools,
      openSpool: () => openSpool({ directory, clock, buffers, encrypt: false }),
      clock,
    })
  }
}
