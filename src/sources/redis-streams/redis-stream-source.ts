/** Reads the keys that this process holds leases for, each by a reader of its own. */
import { hostname } from 'node:os'
import type { RedisPlace } from '../../backend.ts'
import type { Source, SourceHost, SourceTools } from '../../source.ts'
import type { RedisStreamConfiguration } from './configuration.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { KeyReader } from './key-reader.ts'
import { StreamConnection } from './stream-connection.ts'

/** What all readers of a source may have in memory, about. */
const READ_BYTES_MAX = 16 * 2 ** 20
/** Of one reader. */
const KEY_BYTES_MAX = 4 * 2 ** 20

export interface RedisStreamSourceOptions {
  readonly configuration: RedisStreamConfiguration
  readonly place: RedisPlace
  readonly tools: Pick<SourceTools, 'clock'>
}

interface Running {
  readonly stop: AbortController
  /** Never rejects. */
  readonly ended: Promise<void>
}

export class RedisStreamSource implements Source {
  readonly #options: RedisStreamSourceOptions
  readonly #consumer: string

  constructor(options: RedisStreamSourceOptions) {
    this.#options = options
    const suffix = options.tools.clock.randomBytes(4).toString('hex')
    this.#consumer = `standpipe-${hostname()}-${process.pid}-${suffix}`
  }

  async run(host: SourceHost, signal: AbortSignal): Promise<void> {
    const { configuration, place, tools } = this.#options
    const failed = new AbortController()
    const over = AbortSignal.any([signal, failed.signal])
    const commands = new StreamConnection(place, 'source')
    over.addEventListener('abort', () => commands.end())
    const running = new Map<string, Running>()
    try {
      while (!over.aborted) {
        const held = await host.renewLeases(configuration.keys)
        for (const [key, { stop }] of running) if (!held.includes(key)) stop.abort()
        for (const key of held) {
          // One that stops still appends perhaps; the next renewal starts another.
          if (running.has(key)) continue
          const { stop, ended } = this.#start(key, { host, commands, over, failed })
          running.set(key, { stop, ended: ended.finally(() => running.delete(key)) })
        }
        await tools.clock.sleep(host.leaseRenewMs, over)
      }
    } finally {
      failed.abort()
      await Promise.all([...running.values()].map(({ ended }) => ended))
      commands.end()
    }
    if (!signal.aborted) throw failed.signal.reason
  }

  #start(key: string, { host, commands, over, failed }: RunningParts): Running {
    const { configuration, place, tools } = this.#options
    const { keys, group, startId, format } = configuration
    const stop = new AbortController()
    const signal = AbortSignal.any([stop.signal, over])
    const waiting = new StreamConnection(place, 'source-reader')
    signal.addEventListener('abort', () => waiting.end())
    const reader = new KeyReader({
      host,
      group: new ConsumerGroup({ key, group, consumer: this.#consumer, commands, waiting }),
      startId,
      format,
      readBytesMax: Math.min(KEY_BYTES_MAX, READ_BYTES_MAX / keys.length),
      clock: tools.clock,
    })
    const ended = reader
      .run(signal)
      .catch((error: unknown) => failed.abort(error))
      .finally(() => {
        waiting.end()
        host.ended(key)
      })
    return { stop, ended }
  }
}

interface RunningParts {
  readonly host: SourceHost
  readonly commands: StreamConnection
  readonly over: AbortSignal
  /** Aborts with what ends the run. */
  readonly failed: AbortController
}
