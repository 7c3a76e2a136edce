/** Sources whose runs are written down by a test, over the real embedded store. */
import { strict as assert } from 'node:assert'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { noMetrics } from '../../src/base/metrics.ts'
import type { Chunk } from '../../src/batch.ts'
import type { BatchStore } from '../../src/batch-store.ts'
import { chunkMetadata } from '../../src/chunk.ts'
import { NO_CONNECTIONS } from '../../src/connections.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { DestinationType } from '../../src/destination.ts'
import type { PartitionLeases } from '../../src/partition-leases.ts'
import { Intake } from '../../src/pipeline/intake.ts'
import type { Ledger, StreamStatus } from '../../src/pipeline/ledger.ts'
import type { StreamRegistry } from '../../src/pipeline/stream-registry.ts'
import type { SourceHost, SourcePartition, SourceRecord, SourceType } from '../../src/source.ts'
import type { SourceReport } from '../../src/source-reports.ts'
import { LocalSources } from '../../src/sources/local-sources.ts'
import { readTexts } from '../contracts/batch-store.ts'
import { TemporaryStore } from '../contracts/temporary-store.ts'
import { until } from '../servers/until.ts'

/** What a source does when it is run; `runIndex` is 0 for the first time. */
export type Script = (host: SourceHost, signal: AbortSignal, runIndex: number) => Promise<void>

const DESTINATION = { buffering: () => ({ sizeBytesMax: 1_000_000, ageMsMax: 60_000 }) }
const LAMBDA = {
  Enabled: true,
  Processors: [
    {
      Type: 'Lambda',
      Parameters: [
        { ParameterName: 'LambdaArn', ParameterValue: 'arn:aws:lambda:us-east-1:1:function:f' },
        { ParameterName: 'NumberOfRetries', ParameterValue: '3' },
        { ParameterName: 'BufferSizeInMBs', ParameterValue: '1' },
      ],
    },
  ],
}

export interface ScriptedSourcesOptions {
  /** Of the store. */
  readonly quotaBytes?: number
  readonly backlogBytesMax?: number
  /** Default: one, `logs`. */
  readonly streams?: readonly DeliveryStream[]
}

export class ScriptedSources implements AsyncDisposable {
  readonly stores: TemporaryStore
  readonly store: BatchStore
  readonly sources: LocalSources
  /** The streams there are; a test changes them as it likes. */
  readonly streams = new Map<string, DeliveryStream>()
  readonly released: string[] = []
  /** What the ledger says of every stream. */
  pendingBytes = 0
  /** Stands between the sources and the store. */
  append: (chunk: Chunk, go: () => Promise<unknown>) => Promise<unknown> = (_chunk, go) => go()
  script: Script
  /** When a source was run, in monotonic ms. */
  readonly runsAtMs: number[] = []
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  private constructor(
    stores: TemporaryStore,
    store: BatchStore,
    script: Script,
    backlogBytesMax: number,
  ) {
    this.stores = stores
    this.store = store
    this.script = script
    const { clock, logger, keyRing } = stores
    const destinations = new Map([['Test', DESTINATION as unknown as DestinationType]])
    const intake = new Intake({ store, destinations, keyRing, clock })
    const leases: PartitionLeases = {
      renewMs: 1_000,
      renew: (_streamId, partitions) => Promise.resolve(partitions),
      release: (streamId) => Promise.resolve(void this.released.push(streamId)),
    }
    this.sources = new LocalSources({
      types: new Map([['KinesisStreamAsSource', this.#type()]]),
      registry: {
        byId: (streamId: string) => this.streams.get(streamId),
        list: () => [...this.streams.values()],
      } as unknown as StreamRegistry,
      intake: {
        append: (stream: DeliveryStream, chunk: Chunk) =>
          this.append(chunk, () => intake.append(stream, chunk)),
        batchBytesMax: (stream: DeliveryStream) => intake.batchBytesMax(stream),
      } as unknown as Intake,
      store,
      ledger: {
        status: () => Promise.resolve({ pendingBytes: this.pendingBytes } as StreamStatus),
      } satisfies Pick<Ledger, 'status'>,
      leases,
      metrics: noMetrics,
      backlogBytesMax,
      tools: {
        connections: NO_CONNECTIONS,
        kinesisEndpoint: undefined,
        region: 'us-east-1',
        clock,
        logger,
      },
    })
  }

  static async start(
    script: Script,
    options: ScriptedSourcesOptions = {},
  ): Promise<ScriptedSources> {
    const stores = await TemporaryStore.make()
    const { quotaBytes } = options
    const store = await stores.open(quotaBytes === undefined ? {} : { quotaBytes })
    const scripted = new ScriptedSources(
      stores,
      store,
      script,
      options.backlogBytesMax ?? 5_000_000,
    )
    for (const stream of options.streams ?? [sourceStream()]) scripted.keep(stream)
    scripted.#running = scripted.sources.run(scripted.#stop.signal)
    return scripted
  }

  keep(stream: DeliveryStream): void {
    this.streams.set(stream.streamId, stream)
  }

  get report(): SourceReport {
    return this.sources.report('logs-id') ?? assert.fail('the source is not read here')
  }

  /** Lets time pass until the condition holds. */
  async until(what: string, condition: () => boolean): Promise<void> {
    await until(what, 10_000, () => this.#passing(condition), 1)
  }

  /** Lets so much time pass, bit by bit. */
  async passMs(durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 50) {
      this.stores.clock.advance(50)
      for (let turn = 0; turn < 5; turn += 1) await nextTurn()
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    let stopped = false
    void this.#running?.then(() => (stopped = true))
    await this.until('all sources have stopped', () => stopped)
  }

  /** All that was taken over of the stream, in order. */
  async texts(): Promise<readonly string[]> {
    await this.store.seal('logs-id', 'flush')
    const batches = this.stores.sealed.map((batch) => readTexts(this.store, batch))
    return (await Promise.all(batches)).flat()
  }

  /** The metadata of all that was taken over, chunk by chunk. */
  async metadata(): Promise<unknown[]> {
    await this.store.seal('logs-id', 'flush')
    const found: unknown[] = []
    for (const batch of this.stores.sealed) {
      for await (const chunk of this.store.read(batch)) found.push(chunkMetadata(chunk))
    }
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await this.stores[Symbol.asyncDispose]()
  }

  async #passing(condition: () => boolean): Promise<true | undefined> {
    if (condition()) return true
    await this.passMs(50)
    return condition() || undefined
  }

  #type(): SourceType {
    return {
      name: 'KinesisStreamAsSource',
      configurationMember: 'KinesisStreamSourceConfiguration',
      create: (configuration) => configuration,
      describe: (stored) => stored,
      open: () =>
        Promise.resolve({
          run: (host, signal) => {
            this.runsAtMs.push(this.stores.clock.monotonicMs())
            return this.script(host, signal, this.runsAtMs.length - 1)
          },
        }),
    }
  }
}

export function sourceStream(facts: Partial<DeliveryStream> = {}): DeliveryStream {
  return {
    streamId: 'logs-id',
    name: 'logs',
    arn: 'arn:aws:firehose:us-east-1:123456789012:deliverystream/logs',
    status: 'ACTIVE',
    type: 'KinesisStreamAsSource',
    createdAtMs: 0,
    source: {},
    versionId: 1,
    revision: 1,
    tags: [],
    encryption: { status: 'DISABLED' },
    destinationType: 'Test',
    destination: {},
    ...facts,
  }
}

/** A stream whose records a Lambda function is shown. */
export function transformedStream(): DeliveryStream {
  return sourceStream({ destination: { ProcessingConfiguration: LAMBDA } })
}

/** One record for each text; its position is its place, counted from `first`. */
export function recordsOf(texts: readonly string[], first = 0): SourceRecord[] {
  return texts.map((text, index) => ({
    data: Buffer.from(text),
    position: String(first + index),
    metadata: { place: first + index },
  }))
}

/** Resolves when the signal aborts, as a source does that has nothing left to read. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

export async function openOne(host: SourceHost, partition = 'shard-0'): Promise<SourcePartition> {
  const [opened] = await host.open([partition])
  return opened ?? assert.fail('nothing was opened')
}

/** Reads what follows in the texts, then waits. */
export function reading(texts: readonly string[]): Script {
  return async (host, signal) => {
    const partition = await openOne(host)
    const next = partition.position === undefined ? 0 : Number(partition.position) + 1
    await partition.append(recordsOf(texts.slice(next), next), signal)
    await untilAborted(signal)
  }
}
