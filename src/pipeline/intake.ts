import type { Clock } from '../base/clock.ts'
import type { BatchId, Chunk, SealReason } from '../batch.ts'
import type { Appended, AppendTarget, BatchStore, DataKey, KeyRing } from '../batch-store.ts'
import { laneCount } from '../delivery-stream.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { DestinationType } from '../destination.ts'

/** Zero buffering still gathers what comes within this time; AWS delivers "in seconds". */
const AGE_MS_MIN = 1_000

export interface IntakeOptions {
  readonly store: BatchStore
  readonly destinations: ReadonlyMap<string, DestinationType>
  readonly keyRing: KeyRing
  readonly clock: Clock
}

/** The way in: knows for each stream how its batches are cut and under which key they are kept. */
export class Intake {
  readonly #options: IntakeOptions
  /** Targets by stream id, each valid for one revision of its stream. */
  readonly #targets = new Map<string, { revision: number; target: AppendTarget }>()

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  /**
   * Resolves when the chunk is durable.
   * @throws AppendError, PositionMoved
   */
  append(stream: DeliveryStream, chunk: Chunk): Promise<Appended> {
    return this.#options.store.append(this.#target(stream), chunk)
  }

  /**
   * Makes a batch of its own for records that come a second time; see BatchStore.importBatch.
   * @throws AppendError, KeyUnavailable
   */
  async import(
    stream: DeliveryStream,
    batchId: BatchId,
    chunks: AsyncIterable<Chunk>,
  ): Promise<boolean> {
    return this.#options.store.importBatch(this.#target(stream), batchId, chunks, 'replay')
  }

  /** What a batch of the stream grows to, in bytes of record data. */
  batchBytesMax(stream: DeliveryStream): number {
    return this.#target(stream).sizeBytesMax
  }

  /** Seals what the stream has open, e.g. before its configuration changes or on flush-now. */
  seal(streamId: string, reason: SealReason): Promise<void> {
    return this.#options.store.seal(streamId, reason)
  }

  /** Forgets a deleted stream and drops what it had. */
  async discard(streamId: string): Promise<void> {
    this.#targets.delete(streamId)
    await this.#options.store.discard(streamId)
  }

  /** Seals batches as they come of age, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#options
    while (!signal.aborted) {
      await store.sealDue(clock.monotonicMs())
      // A batch opened while this sleeps is due no earlier than the shortest age, hence the bound.
      const waitMs = (store.nextDueMs() ?? Infinity) - clock.monotonicMs()
      await clock.sleep(Math.min(Math.max(waitMs, 1), AGE_MS_MIN / 4), signal)
    }
  }

  #target(stream: DeliveryStream): AppendTarget {
    const known = this.#targets.get(stream.streamId)
    if (known?.revision === stream.revision) return known.target
    const target = this.#makeTarget(stream)
    this.#targets.set(stream.streamId, { revision: stream.revision, target })
    return target
  }

  #makeTarget(stream: DeliveryStream): AppendTarget {
    const type = this.#options.destinations.get(stream.destinationType)
    if (type === undefined) throw new Error(`Cannot buffer for ${stream.destinationType}: unknown`)
    const { sizeBytesMax, ageMsMax } = type.buffering(stream.destination)
    const limits = {
      streamId: stream.streamId,
      sizeBytesMax,
      ageMsMax: Math.max(ageMsMax, AGE_MS_MIN),
      laneCount: laneCount(stream),
    }
    const dataKey = this.#dataKey(stream)
    return dataKey === undefined ? limits : { ...limits, dataKey }
  }

  #dataKey({ encryption }: DeliveryStream): DataKey | undefined {
    if (encryption.status !== 'ENABLED' || encryption.wrappedDataKey === undefined) return undefined
    const wrapped = encryption.wrappedDataKey
    return { plain: this.#options.keyRing.unwrap(wrapped), wrapped }
  }
}
