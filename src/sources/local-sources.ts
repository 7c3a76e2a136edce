/** The sources that this process reads: one for each stream that has one, for as long as it has it. */
import type { DeliveryStream } from '../delivery-stream.ts'
import type { StreamRegistry } from '../pipeline/stream-registry.ts'
import type { SourceReport, SourceReports } from '../source-reports.ts'
import { RunningSource } from './running-source.ts'
import type { RunningSourceOptions } from './running-source.ts'

const LOOK_MS = 500
/** Of a source that the next look will find. */
const NOT_BEGUN: SourceReport = {
  state: 'starting',
  partitions: [],
  recordCount: 0,
  dataBytes: 0,
  lostCount: 0,
  gapCount: 0,
}

export interface LocalSourcesOptions extends RunningSourceOptions {
  readonly registry: StreamRegistry
}

interface Running {
  readonly source: RunningSource
  readonly stop: AbortController
  /** Never rejects. */
  readonly ended: Promise<void>
}

export class LocalSources implements SourceReports {
  readonly #options: LocalSourcesOptions
  /** By stream id. */
  readonly #running = new Map<string, Running>()

  constructor(options: LocalSourcesOptions) {
    this.#options = options
  }

  report(streamId: string): SourceReport | undefined {
    const running = this.#running.get(streamId)
    if (running !== undefined) return running.source.report()
    const stream = this.#options.registry.byId(streamId)
    return stream !== undefined && isRead(stream) ? NOT_BEGUN : undefined
  }

  /** Follows the registry until the signal aborts, then stops all; no append is under way afterwards. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#look()
      await this.#options.tools.clock.sleep(LOOK_MS, signal)
    }
    const running = [...this.#running.values()]
    for (const { stop } of running) stop.abort()
    await Promise.all(running.map(({ ended }) => ended))
  }

  #look(): void {
    const streams = this.#options.registry.list().filter(isRead)
    const ids = new Set(streams.map(({ streamId }) => streamId))
    for (const [streamId, { stop }] of this.#running) if (!ids.has(streamId)) stop.abort()
    for (const stream of streams) if (!this.#running.has(stream.streamId)) this.#start(stream)
  }

  /** Should it end by itself, the next look starts it anew. */
  #start(stream: DeliveryStream): void {
    const { streamId, name } = stream
    const stop = new AbortController()
    const source = new RunningSource(stream, this.#options)
    const ended = source
      .run(stop.signal)
      .catch((error: unknown) => {
        const fields = { deliveryStreamName: name, error }
        this.#options.tools.logger.error(fields, 'A source is not run any more.')
      })
      .finally(() => this.#running.delete(streamId))
    this.#running.set(streamId, { source, stop, ended })
  }
}

function isRead({ status, source }: DeliveryStream): boolean {
  return status === 'ACTIVE' && source !== undefined
}
