import { strict as assert } from 'node:assert'
import type { Clock } from '../base/clock.ts'
import { BatchIds } from '../batch.ts'
import type { SealedBatch } from '../batch.ts'
import { chunkDataBytes, chunkOf } from '../chunk.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import { DeliveryError } from '../destination.ts'
import type { BatchRecord, Destination, EncodedOutput, OpenedSpool } from '../destination.ts'
import type { ErrorOutput } from '../error-output.ts'
import { EXPLAINED_MAX } from '../explanation.ts'
import type { ExplainedOutput, Explainer, Explanation } from '../explanation.ts'
import type { ProcessorTools } from '../processors/index.ts'
import { AttemptSpools } from './attempt-spools.ts'
import { encodeBatch } from './batch-encoding.ts'
import { explainContent } from './explained-content.ts'
import { HeldBatch } from './held-batch.ts'
import { pendingRecords } from './pending-records.ts'
import type { BatchSource } from './processed-batch.ts'
import { Processing } from './processing.ts'
import { Semaphore } from './semaphore.ts'
import { StageWatch } from './stage-watch.ts'

export interface LocalExplainerOptions {
  readonly destinations: ReadonlyMap<string, Destination>
  readonly errorOutput: ErrorOutput
  readonly tools: ProcessorTools
  readonly openSpool: () => OpenedSpool
  readonly clock: Clock
}

/** A record is small, but may be split, unpacked or answered to with much. */
const AT_ONCE_MAX = 8
/** Functions may hang for longer; whoever asks waits no longer than that. */
const EXPLANATION_MS_MAX = 240_000

/** Takes a record through the same code that delivers, as a batch of its own in memory. */
export class LocalExplainer implements Explainer {
  readonly #options: LocalExplainerOptions
  readonly #batchIds: BatchIds
  readonly #permits = new Semaphore(AT_ONCE_MAX)
  readonly #stopped = new AbortController()

  constructor(options: LocalExplainerOptions) {
    this.#options = options
    this.#batchIds = new BatchIds(options.clock)
  }

  async explain(stream: DeliveryStream, data: Buffer): Promise<Explanation> {
    return await this.#permits.run(async () => {
      const over = new AbortController()
      void this.#options.clock
        .sleep(EXPLANATION_MS_MAX, over.signal)
        .then(() => over.abort(gaveUp(`it took ${EXPLANATION_MS_MAX / 1_000} seconds`)))
      try {
        const signal = AbortSignal.any([over.signal, this.#stopped.signal])
        signal.throwIfAborted()
        return await this.#explain(stream, data, signal)
      } finally {
        over.abort()
      }
    })
  }

  stop(): void {
    this.#stopped.abort(gaveUp('the service stops'))
  }

  async #explain(stream: DeliveryStream, data: Buffer, signal: AbortSignal): Promise<Explanation> {
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
      const explained: ExplainedOutput[] = []
      for (const output of outputs.slice(0, EXPLAINED_MAX)) {
        explained.push(await explainOutput(output, job))
      }
      return {
        stages: stages.map((watch) => watch.seen()),
        outputs: explained,
        outputCount: outputs.length,
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

function gaveUp(reason: string): DeliveryError {
  const options = { retryable: true, effect: 'none' } as const
  return new DeliveryError('Explanation.GivenUp', `Cannot process the record: ${reason}`, options)
}

interface OutputJob {
  readonly stream: DeliveryStream
  readonly source: BatchSource
  readonly destination: Destination
  readonly signal: AbortSignal
}

async function explainOutput(output: EncodedOutput, job: OutputJob): Promise<ExplainedOutput> {
  const { kind, accounting, target, recordCount, content, contentFormat } = output
  const records = accounting === 'delivered' ? await recordsOf(output, job) : undefined
  return {
    kind,
    accounting,
    target,
    recordCount,
    sizeBytes: content?.sizeBytes ?? 0,
    ...(content !== undefined && { content: await explainContent(content, contentFormat) }),
    ...(records !== undefined && { records }),
  }
}

async function recordsOf(
  output: EncodedOutput,
  { stream, source, destination, signal }: OutputJob,
): Promise<ExplainedOutput['records']> {
  const { from, to } = output.range ?? { from: 0, to: Infinity }
  const isPending = (ordinal: number): boolean => ordinal >= from && ordinal < to
  const tableSchema = source.processing?.forEncoding().tableSchema
  const explained = await destination.explain?.({
    batch: source.batch,
    output,
    stream,
    signal,
    records: () => firstRecords(pendingRecords(source.read(output.range), { isPending })),
    ...(tableSchema !== undefined && { tableSchema }),
  })
  if (explained === undefined) return undefined
  const { items, refused } = explained
  const refusals = refused.map(({ ordinal, errorCode, errorMessage }) => {
    return { ordinal, refusal: { errorCode, errorMessage } }
  })
  return [...items, ...refusals].toSorted((left, right) => left.ordinal - right.ordinal)
}

async function* firstRecords(
  groups: AsyncIterable<readonly BatchRecord[]>,
): AsyncGenerator<readonly BatchRecord[]> {
  let left = EXPLAINED_MAX
  for await (const group of groups) {
    yield group.slice(0, left)
    left -= group.length
    if (left <= 0) return
  }
}
