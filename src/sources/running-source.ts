/** The source of one stream: opened and run, and run anew when it fails. */
import { aborted } from '../base/aborted.ts'
import { backoffMs } from '../base/backoff.ts'
import type { Metrics } from '../base/metrics.ts'
import type { BatchStore } from '../batch-store.ts'
import { PositionMoved } from '../chunk-origin.ts'
import type { DeliveryStream, SourceTypeName } from '../delivery-stream.ts'
import type { Intake } from '../pipeline/intake.ts'
import type { Ledger } from '../pipeline/ledger.ts'
import { SourceError } from '../source.ts'
import type { SourceTools, SourceType } from '../source.ts'
import type { SourceReport } from '../source-reports.ts'
import { Admission } from './admission.ts'
import { passingFailure } from './intake-partition.ts'
import { SourceTally } from './source-tally.ts'
import { StreamSourceHost } from './stream-source-host.ts'
import type { StreamSourceHostOptions } from './stream-source-host.ts'

const RESTART = { firstMs: 1_000, maxMs: 15_000 }
/** A source that does not stop within this is left behind; what it appends then is refused. */
const STOP_MS_MAX = 3_000
/** Pausing for a batch that is being filled, and for nothing else, would be for ever. */
const BATCHES_MIN = 2

export interface RunningSourceOptions extends Pick<StreamSourceHostOptions, 'registry' | 'leases'> {
  readonly types: ReadonlyMap<SourceTypeName, SourceType>
  readonly tools: SourceTools
  readonly intake: Pick<Intake, 'append' | 'batchBytesMax'>
  readonly store: Pick<BatchStore, 'positions' | 'usage'>
  readonly ledger: Pick<Ledger, 'status'>
  readonly metrics: Metrics
  /** The setting sourceBacklogBytes. */
  readonly backlogBytesMax: number
}

export class RunningSource {
  readonly #stream: DeliveryStream
  readonly #options: RunningSourceOptions
  readonly #tally: SourceTally
  readonly #admission: Admission

  constructor(stream: DeliveryStream, options: RunningSourceOptions) {
    const { tools, intake, backlogBytesMax } = options
    this.#stream = stream
    this.#options = options
    this.#tally = new SourceTally({ ...tools, stream, metrics: options.metrics })
    this.#admission = new Admission({
      ...options,
      clock: tools.clock,
      streamId: stream.streamId,
      backlogBytesMax: () =>
        Math.max(backlogBytesMax, BATCHES_MIN * intake.batchBytesMax(this.#current())),
      onUnavailable: (error) => this.#failed(error),
    })
  }

  report(): SourceReport {
    return this.#tally.report(this.#admission.pausedBy)
  }

  /** Until the signal aborts, and what is being appended is there. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.tools
    let failureCount = 0
    while (!signal.aborted) {
      const { progressCount } = this.#tally
      await this.#runOnce(signal)
      failureCount = this.#tally.progressCount === progressCount ? failureCount + 1 : 1
      await clock.sleep(backoffMs(RESTART, failureCount, clock), signal)
    }
  }

  /** Until the signal aborts, or the source fails. */
  async #runOnce(stop: AbortSignal): Promise<void> {
    const { tools } = this.#options
    const ended = new AbortController()
    const signal = AbortSignal.any([stop, ended.signal])
    const stream = this.#current()
    const host = new StreamSourceHost(stream, signal, {
      ...this.#options,
      ...tools,
      admission: this.#admission,
      tally: this.#tally,
    })
    this.#tally.began()
    const stuck = aborted(stop, ended.signal).then(async () => {
      await tools.clock.sleep(STOP_MS_MAX, ended.signal)
      return 'stuck' as const
    })
    try {
      const outcome = await Promise.race([this.#read(stream, host, signal), stuck])
      if (outcome === 'stuck') {
        const fields = { deliveryStreamName: stream.name }
        tools.logger.warn(fields, 'A source did not stop in time and was left behind.')
      } else if (!stop.aborted) {
        throw new SourceError('Source.Ended', 'Cannot read on: the source has ended by itself')
      }
    } catch (error) {
      if (!stop.aborted) this.#failed(error)
      else tools.logger.debug({ deliveryStreamName: stream.name, error }, 'A source has stopped.')
    } finally {
      ended.abort()
      await host.close()
    }
  }

  async #read(stream: DeliveryStream, host: StreamSourceHost, signal: AbortSignal): Promise<void> {
    const { types, tools } = this.#options
    const type = types.get(stream.type as SourceTypeName)
    if (type === undefined) throw new Error(`Cannot read a source: ${stream.type} is unknown`)
    const source = await type.open(stream, tools)
    signal.throwIfAborted()
    await source.run(host, signal)
  }

  /** What is no SourceError may have something in its message that is not for everybody. */
  #failed(error: unknown): void {
    const known = error instanceof SourceError ? error : passingFailure(error)
    if (known !== undefined) return this.#tally.failed(known)
    if (error instanceof PositionMoved) {
      return this.#tally.failed(new SourceError('Source.PositionMoved', error.message))
    }
    const fields = { deliveryStreamName: this.#stream.name, error }
    this.#options.tools.logger.error(fields, 'A source failed in a way that was not foreseen.')
    this.#tally.failed(
      new SourceError('InternalFailure', 'The source failed unexpectedly; the log says how'),
    )
  }

  #current(): DeliveryStream {
    return this.#options.registry.byId(this.#stream.streamId) ?? this.#stream
  }
}
