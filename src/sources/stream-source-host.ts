/** What one run of a stream's source works with; it ends with the run, whatever the source still does. */
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Chunk } from '../batch.ts'
import type { Appended, BatchStore } from '../batch-store.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { PartitionLeases } from '../partition-leases.ts'
import type { Intake } from '../pipeline/intake.ts'
import type { StreamRegistry } from '../pipeline/stream-registry.ts'
import { processingPlan } from '../processors/processing-plan.ts'
import type { PartitionProgress, SourceError, SourceHost, SourcePartition } from '../source.ts'
import type { Admission } from './admission.ts'
import { IntakePartition } from './intake-partition.ts'
import type { SourceTally } from './source-tally.ts'

const DELETING_LOOK_MS = 100

export interface StreamSourceHostOptions {
  readonly registry: Pick<StreamRegistry, 'byId'>
  readonly intake: Pick<Intake, 'append'>
  readonly store: Pick<BatchStore, 'positions'>
  readonly leases: PartitionLeases
  readonly clock: Clock
  readonly logger: Logger
  readonly admission: Admission
  readonly tally: SourceTally
}

export class StreamSourceHost implements SourceHost {
  readonly stream: DeliveryStream
  readonly leaseRenewMs: number
  readonly #options: StreamSourceHostOptions
  /** Aborts with the run. */
  readonly #signal: AbortSignal
  readonly #appends = new Set<Promise<unknown>>()
  #leased = false

  constructor(stream: DeliveryStream, signal: AbortSignal, options: StreamSourceHostOptions) {
    this.stream = stream
    this.leaseRenewMs = options.leases.renewMs
    this.#signal = signal
    this.#options = options
  }

  /** As the stream is configured now. */
  get wantsMetadata(): boolean {
    const { destination } = this.#options.registry.byId(this.stream.streamId) ?? this.stream
    return processingPlan(destination)?.lambda !== undefined
  }

  async open(partitions: readonly string[]): Promise<readonly SourcePartition[]> {
    const { store, tally } = this.#options
    const positions = await store.positions(this.stream.streamId)
    const known = new Map(positions.map((position) => [position.partition, position]))
    tally.found()
    return partitions.map((partition) => {
      tally.opened(partition, known.get(partition)?.position)
      return new IntakePartition(partition, known.get(partition), {
        ...this.#options,
        wantsMetadata: () => this.wantsMetadata,
        append: (chunk) => this.#append(chunk),
      })
    })
  }

  async renewLeases(partitions: readonly string[]): Promise<readonly string[]> {
    const { leases, tally } = this.#options
    this.#signal.throwIfAborted()
    this.#leased = true
    const held = await leases.renew(this.stream.streamId, partitions)
    tally.found()
    // Others read all there is, which is as it should be.
    if (held.length === 0) tally.progressed()
    return held
  }

  async admit(signal: AbortSignal): Promise<void> {
    await this.#options.admission.admit(signal)
    this.#signal.throwIfAborted()
  }

  progress(partition: string, progress: PartitionProgress): void {
    this.#options.tally.progress(partition, progress)
  }

  ended(partition: string): void {
    this.#options.tally.ended(partition)
  }

  gap(partition: string, lostCount: number | undefined, message: string): void {
    this.#options.tally.gap(partition, lostCount, message)
  }

  failed(error: SourceError, partition?: string): void {
    this.#options.tally.failed(error, partition)
  }

  throttled(operation: string): void {
    this.#options.tally.throttled(operation)
  }

  /** Waits for the appends under way; the caller has aborted the run's signal, so that none follows. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#appends)
    if (!this.#leased) return
    try {
      await this.#options.leases.release(this.stream.streamId)
    } catch (error) {
      const fields = { deliveryStreamName: this.stream.name, error }
      this.#options.logger.debug(fields, 'Leases were not given back; they will expire.')
    }
  }

  async #append(chunk: Chunk): Promise<Appended> {
    const { registry, intake, clock } = this.#options
    for (;;) {
      this.#signal.throwIfAborted()
      const stream = registry.byId(this.stream.streamId)
      if (stream?.status === 'ACTIVE') {
        const append = intake.append(stream, chunk)
        this.#appends.add(append)
        return await append.finally(() => this.#appends.delete(append))
      }
      // It is being deleted. Whoever runs the source will see so, too, and end it.
      await clock.sleep(DELETING_LOOK_MS, this.#signal)
    }
  }
}
