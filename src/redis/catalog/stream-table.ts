/**
 * The delivery streams in Redis, by name. A value is `<revision> <write> <JSON>`: the revision is what a
 * script compares before it replaces the value; `write` is random, so that a script which is run once
 * more finds its own value, and takes nobody else's for it.
 */
import type { Clock } from '../../base/clock.ts'
import { CatalogConflict } from '../../catalog.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import type { Keys } from '../keys.ts'
import type { RedisClient, ScriptRunner } from '../scripts.ts'

export interface StreamTableOptions {
  readonly client: RedisClient
  readonly durable: ScriptRunner
  readonly keys: Keys
  readonly clock: Clock
}

export class StreamTable {
  readonly #options: StreamTableOptions
  readonly #tableKeys: readonly string[]

  constructor(options: StreamTableOptions) {
    const { keys } = options
    this.#options = options
    this.#tableKeys = [keys.catalog('streams'), keys.catalog('ids'), keys.catalog('revision')]
  }

  /** All streams, by name. */
  async all(): Promise<DeliveryStream[]> {
    const { client, keys } = this.#options
    const values = await client.hvals(keys.catalog('streams'))
    return values.map(streamOf).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** @throws CatalogConflict when a stream of that name exists */
  async create(stream: DeliveryStream): Promise<void> {
    const args = [stream.streamId, stream.name, this.#valueOf(stream)]
    if (await this.#run('create-stream', args)) return
    throw new CatalogConflict(`Cannot create stream ${stream.name}: it exists`)
  }

  /** @throws CatalogConflict when the stored revision is another than the stream's */
  async replace(stream: DeliveryStream): Promise<DeliveryStream> {
    const { streamId, name, revision } = stream
    const replacement = { ...stream, revision: revision + 1 }
    const args = [streamId, name, `${revision} `, this.#valueOf(replacement)]
    if (await this.#run('replace-stream', args)) return replacement
    throw new CatalogConflict(`Cannot change stream ${name}: it was changed meanwhile`)
  }

  /** Harmless when it is not there. */
  async remove(streamId: string): Promise<void> {
    await this.#run('delete-stream', [streamId])
  }

  /** Each of these scripts answers 1 or 0, and publishes what it changes. */
  async #run(script: string, args: readonly string[]): Promise<boolean> {
    const { durable, keys } = this.#options
    return (await durable.run(script, this.#tableKeys, [...args, keys.changes])) === 1
  }

  #valueOf(stream: DeliveryStream): string {
    const write = this.#options.clock.randomBytes(8).toString('hex')
    return `${stream.revision} ${write} ${JSON.stringify(stream)}`
  }
}

function streamOf(value: string): DeliveryStream {
  return JSON.parse(value.slice(value.indexOf('{'))) as DeliveryStream
}
