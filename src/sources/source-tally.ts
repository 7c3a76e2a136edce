/** What is known of a stream's source while it is read here: counted, told, and logged where it is news. */
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Failure } from '../delivery-queue.ts'
import type { DeliveryStream, SourceTypeName } from '../delivery-stream.ts'
import type { PartitionProgress, SourceError } from '../source.ts'
import type { PartitionReport, PauseReason, SourceReport, SourceState } from '../source-reports.ts'

/** Under what AWS counts that which is read; it has no Redis. */
const READ_METRICS: Readonly<Record<SourceTypeName, string>> = {
  KinesisStreamAsSource: 'DataReadFromKinesisStream',
  MSKAsSource: 'DataReadFromSource',
  RedisStreamAsSource: 'DataReadFromSource',
}

export interface SourceTallyOptions {
  readonly stream: DeliveryStream
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

export class SourceTally {
  readonly #options: SourceTallyOptions
  readonly #partitions = new Map<string, Omit<PartitionReport, 'partition'>>()
  /** How far those were read that were opened, also where nothing is told of them yet. */
  readonly #openedAt = new Map<string, string | undefined>()
  #found = false
  #failure: Failure | undefined
  #lastFailure: SourceReport['lastFailure']
  #recordCount = 0
  #dataBytes = 0
  #lostCount = 0
  #gapCount = 0
  #progressCount = 0

  constructor(options: SourceTallyOptions) {
    this.#options = options
  }

  /** Grows whenever something of the source went well. */
  get progressCount(): number {
    return this.#progressCount
  }

  /** The source is run, for the first time or anew. */
  began(): void {
    this.#found = false
    this.#partitions.clear()
    this.#openedAt.clear()
  }

  opened(partition: string, position: string | undefined): void {
    this.#openedAt.set(partition, position)
  }

  /** It is known which partitions there are. */
  found(): void {
    this.#found = true
  }

  /** Something of the source goes well: what failed of all of it does so no more. */
  progressed(): void {
    this.#found = true
    this.#failure = undefined
    this.#progressCount += 1
  }

  taken(partition: string, position: string, recordCount: number, dataBytes: number): void {
    const { stream, metrics } = this.#options
    const { failure: _mended, ...known } = this.#known(partition)
    this.#partitions.set(partition, { ...known, position })
    this.#recordCount += recordCount
    this.#dataBytes += dataBytes
    this.progressed()
    const metric = READ_METRICS[stream.type as SourceTypeName]
    metrics.sourceRead({ streamName: stream.name, metric, recordCount, dataBytes })
  }

  progress(partition: string, progress: PartitionProgress): void {
    const { position } = this.#known(partition)
    this.#partitions.set(partition, { ...progress, position })
    this.progressed()
  }

  ended(partition: string): void {
    this.#partitions.delete(partition)
    this.#openedAt.delete(partition)
  }

  gap(partition: string, lostCount: number | undefined, reason: string): void {
    const { stream, logger, metrics } = this.#options
    this.#gapCount += 1
    this.#lostCount += lostCount ?? 0
    metrics.sourceGap(stream.name, lostCount ?? 0)
    const fields = { deliveryStreamName: stream.name, partition, lostCount, reason }
    logger.error(fields, 'Records of a source went before they could be read.')
  }

  /** It is logged unless the like is shown already: in what words a connection breaks changes all the time. */
  failed({ errorCode, message: errorMessage }: SourceError, partition?: string): void {
    const { stream, clock, logger, metrics } = this.#options
    const failure = { errorCode, errorMessage }
    const shown = partition === undefined ? this.#failure : this.#partitions.get(partition)?.failure
    if (partition === undefined) this.#failure = failure
    else this.#partitions.set(partition, { ...this.#known(partition), failure })
    this.#lastFailure = { ...failure, atMs: clock.nowMs() }
    metrics.sourceFailure(stream.name)
    if (shown?.errorCode === errorCode) return
    const fields = { deliveryStreamName: stream.name, partition, errorCode, reason: errorMessage }
    logger.warn(fields, 'A source cannot be read; it is tried again.')
  }

  throttled(operation: string): void {
    this.#options.metrics.sourceThrottled(this.#options.stream.name, operation)
  }

  report(pausedBy: PauseReason | undefined): SourceReport {
    const partitions = [...this.#partitions]
      .map(([partition, report]) => ({ partition, ...report }))
      .toSorted((one, other) => (one.partition < other.partition ? -1 : 1))
    const state = this.#state(pausedBy)
    return {
      state,
      ...(state === 'paused' && pausedBy !== undefined && { pausedBy }),
      partitions,
      recordCount: this.#recordCount,
      dataBytes: this.#dataBytes,
      lostCount: this.#lostCount,
      gapCount: this.#gapCount,
      ...(this.#lastFailure === undefined ? {} : { lastFailure: this.#lastFailure }),
    }
  }

  #known(partition: string): Omit<PartitionReport, 'partition'> {
    return this.#partitions.get(partition) ?? { position: this.#openedAt.get(partition) }
  }

  #state(pausedBy: PauseReason | undefined): SourceState {
    const partitions = [...this.#partitions.values()]
    const allFail = partitions.length > 0 && partitions.every(({ failure }) => failure)
    if (this.#failure !== undefined || allFail) return 'failing'
    if (pausedBy !== undefined) return 'paused'
    return this.#found ? 'reading' : 'starting'
  }
}
