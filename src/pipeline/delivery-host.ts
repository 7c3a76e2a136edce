import type { Logger } from '../base/logger.ts'
import type { Metrics, ProcessingObservation } from '../base/metrics.ts'
import { ClaimLost } from '../batch.ts'
import type { BatchStore } from '../batch-store.ts'
import type { Claim, DeliveryQueue, Failure, Retry } from '../delivery-queue.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { DestinationType } from '../destination.ts'
import { isOfProcessors } from '../error-output.ts'
import type { Execution } from '../processor.ts'
import type { Receipt } from '../receipt.ts'
import type { Ledger } from './ledger.ts'
import { RefusalCounts } from './refusal-counts.ts'
import type { StreamRegistry } from './stream-registry.ts'

/**
 * What a delivery worker asks of its node, besides the batch's contents. In the embedded service the
 * worker is a thread and these are messages; calls are few, about three a batch.
 */
export interface DeliveryHost {
  /** The next batch, and its stream as it is configured now; undefined when there is no more to be done. */
  claim(signal: AbortSignal): Promise<ClaimedBatch | undefined>
  /**
   * The batch has arrived: receipt, then the end of the claim, then removal.
   * @param mostlyRefused the destination itself refused nearly all of it
   */
  commit(claim: Claim, receipt: Receipt, mostlyRefused: boolean): Promise<void>
  retry(claim: Claim, retry: Retry): Promise<void>
  park(claim: Claim, failure: Failure): Promise<void>
  /** The batch is given back untried, for this worker ends. */
  release(claim: Claim): Promise<void>
  /** The claim takes long, and is not to be in others' way (delivery-queue.ts). */
  lend(claim: Claim): Promise<void>
  /** Something outside was called on behalf of a stream's processors. */
  observe(streamId: string, execution: Execution): void
}

export interface ClaimedBatch {
  readonly claim: Claim
  readonly stream: DeliveryStream
  /** Batches of the stream before this one, without another between them, that were mostly refused. */
  readonly refusedInARow: number
}

export interface LocalDeliveryHostOptions {
  readonly queue: DeliveryQueue
  readonly store: BatchStore
  readonly ledger: Ledger
  readonly registry: StreamRegistry
  readonly destinations: ReadonlyMap<string, DestinationType>
  readonly logger: Logger
  readonly metrics: Metrics
  /** Told of each call of a function and the like; absent: nobody asks. */
  readonly onExecution?: (streamName: string, execution: Execution) => void
}

/** The host in the process that owns queue, store and catalog. */
export class LocalDeliveryHost implements DeliveryHost {
  readonly #options: LocalDeliveryHostOptions
  readonly #refusals = new RefusalCounts()

  constructor(options: LocalDeliveryHostOptions) {
    this.#options = options
  }

  async claim(signal: AbortSignal): Promise<ClaimedBatch | undefined> {
    const { queue, registry } = this.#options
    for (;;) {
      const claim = await queue.claim(signal)
      if (claim === undefined) return undefined
      const stream = registry.byId(claim.batch.streamId) ?? (await this.#lookAgain(claim))
      if (stream !== undefined) {
        const batch = { ...claim.batch, heldBy: claim.token }
        const refusedInARow = this.#refusals.count(claim)
        return { claim: { ...claim, batch }, stream, refusedInARow }
      }
      // Deleted since it was claimed; its batches are being dropped.
      await queue.complete(claim)
    }
  }

  /**
   * The order makes every crash harmless: a receipt without removal is seen at start-up, where the
   * batch is removed rather than delivered again. Receipt and queue change in one go for whoever
   * looks at the books. Of a stream that is being deleted nothing is entered: it would come after the
   * deletion, and stay.
   */
  async commit(claim: Claim, receipt: Receipt, mostlyRefused: boolean): Promise<void> {
    const { queue, store, ledger, logger } = this.#options
    try {
      if (!this.#isGone(receipt.streamId)) await ledger.delivered(receipt, claim.batch)
    } catch (error) {
      if (!(error instanceof ClaimLost)) throw error
      // Whoever has it now finds everything delivered, and commits that.
      logger.warn({ batchId: receipt.batchId, reason: error.message }, 'A batch was not committed.')
      return
    }
    this.#refusals.committed(claim, mostlyRefused)
    await queue.complete(claim)
    this.#observeReceipt(receipt)
    await store.remove(claim.batch)
  }

  async retry(claim: Claim, retry: Retry): Promise<void> {
    await this.#options.queue.retry(claim, retry)
    this.#refusals.retried(claim, retry)
    if (retry.brake) this.#reportFailure('error', claim, retry, 'The stream brakes and probes')
    else this.#reportFailure('warn', claim, retry, 'It is tried again')
  }

  async park(claim: Claim, failure: Failure): Promise<void> {
    await this.#options.queue.park(claim, failure)
    this.#refusals.parked(claim)
    this.#reportFailure('error', claim, failure, 'It is parked until the stream is resumed')
  }

  release(claim: Claim): Promise<void> {
    return this.#options.queue.release(claim)
  }

  lend(claim: Claim): Promise<void> {
    return this.#options.queue.lend(claim)
  }

  observe(streamId: string, execution: Execution): void {
    const { metrics, registry, onExecution } = this.#options
    const streamName = registry.byId(streamId)?.name
    if (streamName === undefined) return
    const { durationMs, errorCode } = execution
    metrics.execution({ streamName, success: errorCode === undefined, durationMs })
    onExecution?.(streamName, execution)
  }

  /** Another process may have made the stream a moment ago. */
  async #lookAgain(claim: Claim): Promise<DeliveryStream | undefined> {
    const { queue, registry } = this.#options
    try {
      await registry.refresh()
    } catch (error) {
      await queue.release(claim)
      throw error
    }
    return registry.byId(claim.batch.streamId)
  }

  #isGone(streamId: string): boolean {
    const stream = this.#options.registry.byId(streamId)
    return stream === undefined || stream.status === 'DELETING'
  }

  #observeReceipt(receipt: Receipt): void {
    const { metrics, registry } = this.#options
    const stream = registry.byId(receipt.streamId)
    if (stream === undefined) return
    const streamName = stream.name
    for (const accounting of ['delivered', 'copy'] as const) {
      // A partitioned batch has many.
      const outputs = receipt.outputs.filter(
        (output) => output.accounting === accounting && output.recordCount > 0,
      )
      if (outputs.length === 0) continue
      const recordCount = outputs.reduce((sum, output) => sum + output.recordCount, 0)
      metrics.delivery({
        streamName,
        metric: accounting === 'copy' ? 'BackupToS3' : this.#metric(stream),
        success: true,
        recordCount,
        // Nobody counted the bytes of each; so it is given its share.
        dataBytes: Math.round((receipt.dataBytes * recordCount) / receipt.recordCount),
        objectCount: outputs.length,
      })
    }
    if (receipt.processing !== undefined) metrics.processing(processingOf(receipt, streamName))
  }

  #metric({ destinationType }: DeliveryStream): string {
    return this.#options.destinations.get(destinationType)?.metric ?? destinationType
  }

  /** In the shape of AWS's error log records (facts: CloudWatch error logging). */
  #reportFailure(
    level: 'warn' | 'error',
    claim: Claim,
    failure: Failure,
    consequence: string,
  ): void {
    const { logger, metrics, registry } = this.#options
    const stream = registry.byId(claim.batch.streamId)
    if (stream === undefined) return
    const fields = {
      deliveryStreamARN: stream.arn,
      deliveryStreamVersionId: String(stream.versionId),
      destination: stream.destinationType,
      errorCode: failure.errorCode,
      errorMessage: failure.errorMessage,
      batchId: claim.batch.batchId,
      attempt: claim.attempt,
    }
    logger[level](fields, `Cannot deliver a batch. ${consequence}.`)
    metrics.delivery({
      streamName: stream.name,
      metric: this.#metric(stream),
      success: false,
      recordCount: 0,
      dataBytes: 0,
      objectCount: 0,
    })
  }
}

function processingOf({ outputs }: Receipt, streamName: string): ProcessingObservation {
  const failedCounts = new Map<string, number>()
  let succeededCount = 0
  for (const output of outputs) {
    const { kind, accounting, recordCount } = output
    if (isOfProcessors(output)) failedCounts.set(kind, recordCount)
    else if (accounting !== 'copy') succeededCount += recordCount
  }
  return { streamName, succeededCount, failedCounts }
}
