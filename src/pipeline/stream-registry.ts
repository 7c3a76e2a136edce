import type { Logger } from '../base/logger.ts'
import type { Catalog } from '../catalog.ts'
import { CatalogConflict } from '../catalog.ts'
import type { DeliveryStream } from '../delivery-stream.ts'

/**
 * The delivery streams in memory, for the put path, which must not wait for the catalog. The catalog
 * is the truth: every change is written there first.
 */
export class StreamRegistry {
  readonly #catalog: Catalog
  readonly #byName = new Map<string, DeliveryStream>()
  readonly #byId = new Map<string, DeliveryStream>()
  /** Changes made here; what was read of the catalog before one of them is out of date. */
  #changeCount = 0

  private constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  static async open(catalog: Catalog): Promise<StreamRegistry> {
    const registry = new StreamRegistry(catalog)
    for (const stream of await catalog.streams()) registry.#keep(stream)
    return registry
  }

  /** Follows what other processes do to the streams, until the signal aborts. */
  follow(logger: Logger, signal: AbortSignal): void {
    this.#catalog.watchStreams(async () => {
      try {
        await this.refresh()
      } catch (error) {
        logger.warn({ error }, 'What others have changed of the streams was not read yet.')
        throw error
      }
    }, signal)
  }

  /** Reads what others have changed; what was changed here meanwhile is not lost. */
  async refresh(): Promise<void> {
    let streams: readonly DeliveryStream[]
    let changeCount: number
    do {
      changeCount = this.#changeCount
      streams = await this.#catalog.streams()
    } while (changeCount !== this.#changeCount)
    const ids = new Set(streams.map(({ streamId }) => streamId))
    for (const streamId of this.#byId.keys()) if (!ids.has(streamId)) this.#forget(streamId)
    // Also what is older than was known: a Redis that failed over may have lost the latest change.
    for (const stream of streams) this.#put(stream)
  }

  find(name: string): DeliveryStream | undefined {
    return this.#byName.get(name)
  }

  byId(streamId: string): DeliveryStream | undefined {
    return this.#byId.get(streamId)
  }

  /** All streams in the order of their names (by code unit, as AWS lists them). */
  list(): readonly DeliveryStream[] {
    return [...this.#byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** @throws CatalogConflict when a stream of that name exists */
  async create(stream: DeliveryStream): Promise<void> {
    await this.#catalog.createStream(stream)
    this.#keep(stream)
  }

  /**
   * Applies `change` to the stream as it is now. Nothing is written when it returns its argument. An
   * error thrown by `change` is the caller's answer. Repeats itself when somebody else was faster.
   */
  async change(
    streamId: string,
    change: (current: DeliveryStream) => DeliveryStream,
  ): Promise<DeliveryStream> {
    for (;;) {
      const current = this.#byId.get(streamId)
      if (current === undefined) throw new CatalogConflict('Cannot change a stream that is gone')
      const next = change(current)
      if (next === current) return current
      try {
        const stored = await this.#catalog.replaceStream(next)
        // Otherwise somebody has deleted it since, and that is known already.
        if (this.#byId.has(streamId)) this.#keep(stored)
        return stored
      } catch (error) {
        if (!(error instanceof CatalogConflict)) throw error
        await this.refresh()
      }
    }
  }

  async delete(streamId: string): Promise<void> {
    await this.#catalog.deleteStream(streamId)
    this.#forget(streamId)
  }

  /** Of a stream that others have changed since, what is known already stays. */
  #keep(stream: DeliveryStream): void {
    if ((this.#byId.get(stream.streamId)?.revision ?? 0) <= stream.revision) this.#put(stream)
  }

  #put(stream: DeliveryStream): void {
    this.#changeCount += 1
    this.#byName.set(stream.name, stream)
    this.#byId.set(stream.streamId, stream)
  }

  #forget(streamId: string): void {
    const stream = this.#byId.get(streamId)
    if (stream === undefined) return
    this.#changeCount += 1
    this.#byId.delete(streamId)
    this.#byName.delete(stream.name)
  }
}
