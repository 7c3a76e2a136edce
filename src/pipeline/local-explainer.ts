import { strict as assert } from 'node:assert'
import type { Clock } from '../base/clock.ts'
import { BatchIds } from '../batch.ts'
import type { SealedBatch } from '../batch.ts'
import { chunkDataBytes, chunkOf } from '../chunk.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { Destination, EncodedOutput, OpenedSpool } from '../destination.ts'
import type { ErrorOutput } from '../error-output.ts'
import type {
  ExplainedItem,
  ExplainedOutput,
  ExplainedRecord,
  ExplainedStage,
  Explainer,
  Explanation,
} from '../explanation.ts'
import type { Failure } from '../delivery-queue.ts'
import type { Processor } from '../processor.ts'
import type { ProcessorTools, Stage } from '../processors/index.ts'
import { AttemptSpools } from './attempt-spools.ts'
import { encodeBatch } from './batch-encoding.ts'
import { HeldBatch } from './held-batch.ts'
import { pendingRecords } from './pending-records.ts'
import type { BatchSource } from './processed-batch.ts'
import { Processing } from './processing.ts'

export interface LocalExplainerOptions {
  readonly destinations: ReadonlyMap<string, Destination>
  readonly errorOutput: ErrorOutput
  readonly tools: ProcessorTools
  readonly openSpool: () => OpenedSpool
  readonly clock: Clock
}

const CONTENT_BYTES_MAX = 64 * 1024

/** Takes a record through the same code that delivers, as a batch of its own in memory. */
export class LocalExplainer implements Explainer {
  readonly #options: LocalExplainerOptions
  readonly #batchIds: BatchIds

  constructor(options: LocalExplainerOptions) {
    this.#options = options
    this.#batchIds = new BatchIds(options.clock)
  }

  async explain(stream: DeliveryStream, data: Buffer): Promise<Explanation> {
    // Each call of a stage has its own time limit.
    const { signal } = new AbortController()
    const { tools, errorOutput, openSpool } = this.#options
    const destination = this.#options.destinations.get(stream.destinationType)
    assert(destination !== undefined, `no destination ${stream.destinationType}`)
    const chunk = { ...chunkOf([data], this.#options.clock.nowMs()), firstOrdinal: 0 }
    const batch = this.#batchOf(stream, chunk.arrivalMs, chunkDataBytes(chunk))
    const stages: StageWatch[] = []
    const processing = new Processing(new HeldBatch([chunk]), tools, (stage) => {
      const watch = new StageWatch(stage)
      stages.push(watch)
      return watch
    })
    const partitions = destination.partitioning?.(stream)
    const source = await processing.source({
      batch,
      stream,
      partitions,
      frozen: undefined,
      signal,
      observe: () => {},
    })
    const spools = new AttemptSpools()
    try {
      const { outputs } = await encodeBatch({
        source,
        stream,
        destination,
        errorOutput,
        frozen: undefined,
        openSpool: () => spools.add(openSpool()),
      })
      const job = { stream, source, destination, signal }
      return {
        stages: stages.map((watch) => watch.seen()),
        outputs: await Promise.all(outputs.map((output) => explainOutput(output, job))),
      }
    } finally {
      await spools.dispose()
      await source.close()
    }
  }

  #batchOf({ streamId }: DeliveryStream, nowMs: number, dataBytes: number): SealedBatch {
    return {
      batchId: this.#batchIds.next(),
      streamId,
      recordCount: 1,
      dataBytes,
      storedBytes: dataBytes,
      firstArrivalMs: nowMs,
      lastArrivalMs: nowMs,
      sealedAtMs: nowMs,
      sealReason: 'flush',
    }
  }
}

interface OutputJob {
  readonly stream: DeliveryStream
  readonly source: BatchSource
  readonly destination: Destination
  readonly signal: AbortSignal
}

async function explainOutput(output: EncodedOutput, job: OutputJob): Promise<ExplainedOutput> {
  const { kind, accounting, target, recordCount, content } = output
  const records = accounting === 'delivered' ? await itemsOf(output, job) : undefined
  return {
    kind,
    accounting,
    target,
    recordCount,
    sizeBytes: content?.sizeBytes ?? 0,
    ...(content !== undefined && {
      content: await content.read(0, Math.min(content.sizeBytes, CONTENT_BYTES_MAX)),
    }),
    ...(records !== undefined && { records }),
  }
}

async function itemsOf(
  output: EncodedOutput,
  { stream, source, destination, signal }: OutputJob,
): Promise<readonly ExplainedItem[] | undefined> {
  return destination.explain?.({
    batch: source.batch,
    output,
    stream,
    currentStream: stream,
    formerSha256s: [],
    earlierAttempts: 0,
    records: () => pendingRecords(source.read(output.range), { isPending: () => true }),
    signal,
  })
}

/** Notes what comes out of a stage. */
class StageWatch implements Processor {
  readonly #stage: Stage
  readonly #records: ExplainedRecord[] = []
  readonly #failures: Failure[] = []
  #droppedCount = 0

  constructor(stage: Stage) {
    this.#stage = stage
  }

  seen(): ExplainedStage {
    return {
      name: this.#stage.name,
      records: this.#records,
      failures: this.#failures,
      droppedCount: this.#droppedCount,
    }
  }

  async *process(...[records, job]: Parameters<Processor['process']>) {
    const watched = {
      ...job,
      fail: (...[record, failure]: Parameters<typeof job.fail>) => {
        const { errorCode, errorMessage } = failure
        this.#failures.push({ errorCode, errorMessage })
        job.fail(record, failure)
      },
      drop: (...[record]: Parameters<typeof job.drop>) => {
        this.#droppedCount += 1
        job.drop(record)
      },
    }
    for await (const group of this.#stage.processor.process(records, watched)) {
      for (const { data, keys } of group) {
        this.#records.push({ data: Buffer.from(data), ...(keys !== undefined && { keys }) })
      }
      yield group
    }
  }
}
