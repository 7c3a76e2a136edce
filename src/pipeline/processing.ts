/**
 * Takes a sealed batch through its stream's processors, once: what comes of it is staged durably, and
 * whoever claims the batch later finds it there.
 */
import type { SealedBatch } from '../batch.ts'
import type { BatchContents, BatchReading } from '../batch-store.ts'
import { chunkMetadata, recordsOf } from '../chunk.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { Manifest } from '../manifest.ts'
import type { PartitionRules } from '../partition.ts'
import type {
  Execution,
  ProcessingJob,
  ProcessingRecord,
  Processor,
  Records,
} from '../processor.ts'
import { openProcessors } from '../processors/index.ts'
import type { ProcessorTools, Stage } from '../processors/index.ts'
import { processingPlan } from '../processors/processing-plan.ts'
import type { ProcessingPlan } from '../processors/processing-plan.ts'
import { StagingDamaged } from '../staging.ts'
import { acceptedBatch, StagedSource } from './processed-batch.ts'
import type { BatchSource } from './processed-batch.ts'
import { ProcessedWriter } from './processed-writer.ts'

export interface ProcessingRequest {
  readonly batch: SealedBatch
  /** As the batch's names are, or will be, fixed. */
  readonly stream: DeliveryStream
  readonly partitions: PartitionRules | undefined
  /** Present when names are fixed already. */
  readonly frozen: Manifest | undefined
  readonly signal: AbortSignal
  observe(execution: Execution): void
}

export class Processing {
  readonly #contents: BatchContents
  readonly #tools: ProcessorTools
  readonly #watch: (stage: Stage) => Processor

  /** @param watch puts something around each stage, to see what goes in and out */
  constructor(
    contents: BatchContents,
    tools: ProcessorTools,
    watch: (stage: Stage) => Processor = ({ processor }) => processor,
  ) {
    this.#contents = contents
    this.#tools = tools
    this.#watch = watch
  }

  /** Whether batches of the stream are processed at all. */
  concerns({ destination }: DeliveryStream): boolean {
    return processingPlan(destination) !== undefined
  }

  /**
   * The batch as it is to be delivered. Closing it is the caller's.
   * @throws DeliveryError when a stage can't be had now
   * @throws StagingDamaged when names are fixed by what can't be read back any more
   */
  async source(request: ProcessingRequest): Promise<BatchSource> {
    const { batch, stream } = request
    const plan = processingPlan(stream.destination)
    if (plan === undefined) return acceptedBatch(batch, this.#contents)
    const found = await this.#staged(request)
    if (found !== undefined) return found
    await this.#process(request, plan)
    const made = await this.#staged(request)
    if (made === undefined) throw new StagingDamaged('Cannot find what was staged just now')
    return made
  }

  /** What is staged under this version of the stream. */
  async #staged({ batch, stream, frozen }: ProcessingRequest): Promise<StagedSource | undefined> {
    try {
      const staged = await this.#contents.staged(batch)
      if (staged === undefined) {
        if (frozen === undefined) return undefined
        throw new StagingDamaged('What was staged is missing')
      }
      const source = new StagedSource(batch, staged, this.#contents)
      if (source.versionId === stream.versionId) return source
      await source.close()
      if (frozen === undefined) return undefined
      throw new StagingDamaged('What is staged is of another version than the names')
    } catch (error) {
      // Nothing has left yet: the processors may have another go.
      if (!(error instanceof StagingDamaged) || frozen !== undefined) throw error
      return undefined
    }
  }

  async #process(request: ProcessingRequest, plan: ProcessingPlan): Promise<void> {
    const { batch, stream, partitions, signal } = request
    const stages = openProcessors(plan, partitions, this.#tools).map(this.#watch)
    const staging = await this.#contents.stage(batch)
    try {
      const writer = new ProcessedWriter({
        writer: staging,
        batch,
        stream,
        partitioned: partitions !== undefined,
        oneToOne: plan.deaggregation === undefined && plan.sql === undefined,
      })
      const job: ProcessingJob = {
        batch,
        stream,
        signal,
        fail: (record, failure) => writer.fail(record, failure),
        drop: (record) => writer.drop(record),
        made: (count) => writer.made(count),
        setTableSchema: (schema) => writer.setTableSchema(schema),
        observe: (execution) => request.observe(execution),
      }
      const reading = this.#contents.read(batch)
      for await (const group of through(stages, sourceOf(reading, writer), job)) {
        await writer.addAll(group)
      }
      await writer.finish(reading.quarantinedCount)
    } catch (error) {
      await staging.abandon()
      throw error
    }
  }
}

function through(stages: readonly Processor[], source: Records, job: ProcessingJob): Records {
  return stages.reduce((records, stage) => stage.process(records, job), source)
}

/** Asked for in turn with the last stage's output, it is also where failures are written between. */
async function* sourceOf(reading: BatchReading, writer: ProcessedWriter): Records {
  for await (const chunk of reading) {
    await writer.relieve()
    const { arrivalMs, firstOrdinal } = chunk
    const told = chunkMetadata(chunk)
    yield Array.from(recordsOf(chunk), (data, index): ProcessingRecord => {
      const metadata = told?.[index]
      const record = { ordinal: firstOrdinal + index, arrivalMs, data, original: data }
      return metadata === undefined ? record : { ...record, metadata }
    })
  }
}
