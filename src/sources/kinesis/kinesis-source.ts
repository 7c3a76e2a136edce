/**
 * A Kinesis stream: its shards are looked up again and again, as they are split and merged; of those that
 * may be read now (shard-graph.ts) this node reads what it holds the leases of. Two loops, which wake each
 * other: one looks for shards, the other renews the leases and starts and stops readers.
 */
import { backoffMs } from '../../base/backoff.ts'
import type { Source, SourceHost, SourceTools } from '../../source.ts'
import { Alarm } from './alarm.ts'
import type { Beginning, KinesisConfiguration } from './configuration.ts'
import { KinesisFailure } from './kinesis-failure.ts'
import { KinesisService } from './kinesis-service.ts'
import type { Shard } from './kinesis-service.ts'
import { ReadingGate } from './reading-gate.ts'
import { ShardGraph } from './shard-graph.ts'
import { SERVICE_PACE } from './shard-pages.ts'
import type { ReadingPace, ReadingTools } from './shard-pages.ts'
import { ShardReader } from './shard-reader.ts'

export class KinesisSource implements Source {
  readonly #configuration: KinesisConfiguration
  readonly #tools: SourceTools
  readonly #pace: ReadingPace

  constructor(
    configuration: KinesisConfiguration,
    tools: SourceTools,
    pace: ReadingPace = SERVICE_PACE,
  ) {
    this.#configuration = configuration
    this.#tools = tools
    this.#pace = pace
  }

  async run(host: SourceHost, signal: AbortSignal): Promise<void> {
    const { streamArn, beginning } = this.#configuration
    const service = await KinesisService.open(streamArn, this.#tools)
    try {
      const shards = await service.shards(signal)
      const tools: ReadingTools = {
        service,
        host,
        gate: new ReadingGate(host),
        clock: this.#tools.clock,
        pace: this.#pace,
        consumerArn: await this.#consumerArn(service, signal),
      }
      await new StreamReading(shards, beginning, tools).run(signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      service.close()
    }
  }

  async #consumerArn(service: KinesisService, signal: AbortSignal): Promise<string | undefined> {
    const { consumerName } = this.#configuration
    if (consumerName === undefined) return undefined
    for (;;) {
      const arn = await service.consumerArn(consumerName, signal)
      if (arn !== undefined) return arn
      await this.#tools.clock.sleep(this.#pace.idleMs, signal)
      signal.throwIfAborted()
    }
  }
}

interface RunningReader {
  readonly stop: AbortController
  /** Never rejects. */
  readonly stopped: Promise<void>
}

class StreamReading {
  readonly #graph = new ShardGraph()
  readonly #readers = new Map<string, RunningReader>()
  readonly #beginning: Beginning
  readonly #tools: ReadingTools
  readonly #discovery: Alarm
  readonly #leasing: Alarm
  /** What ends the whole; its reason is why. */
  readonly #failure = new AbortController()

  constructor(shards: readonly Shard[], beginning: Beginning, tools: ReadingTools) {
    this.#graph.update(shards)
    this.#beginning = beginning
    this.#tools = tools
    this.#discovery = new Alarm(tools.clock)
    this.#leasing = new Alarm(tools.clock)
  }

  async run(signal: AbortSignal): Promise<void> {
    const ending = AbortSignal.any([signal, this.#failure.signal])
    const loops = [this.#discover(ending), this.#lease(ending)]
    try {
      await Promise.all(loops)
    } finally {
      this.#failure.abort()
      await Promise.allSettled(loops)
      for (const { stop } of this.#readers.values()) stop.abort()
      await Promise.all([...this.#readers.values()].map(({ stopped }) => stopped))
    }
  }

  async #discover(ending: AbortSignal): Promise<void> {
    const { service, host, clock, pace } = this.#tools
    let failures = 0
    for (;;) {
      const waitMs = failures === 0 ? pace.discoveryMs : backoffMs(pace.retry, failures, clock)
      await this.#discovery.sleep(waitMs, ending)
      ending.throwIfAborted()
      try {
        this.#graph.update(await service.shards(ending))
        failures = 0
      } catch (error) {
        ending.throwIfAborted()
        if (!(error instanceof KinesisFailure)) throw error
        failures += 1
        if (error.isThrottling) host.throttled(error.operation)
        else host.failed(error)
      }
      this.#stopUnlisted()
      this.#leasing.ring()
    }
  }

  /** Shards that are not there any more: what was not read of them is lost. */
  #stopUnlisted(): void {
    for (const [shardId, { stop }] of this.#readers) {
      if (this.#graph.has(shardId) || stop.signal.aborted) continue
      this.#stop(shardId)
      this.#tools.host.gap(shardId, undefined, 'The shard has gone before it was read to its end')
    }
  }

  async #lease(ending: AbortSignal): Promise<void> {
    const { host } = this.#tools
    for (;;) {
      const wanted = this.#graph.readable().map(({ shardId }) => shardId)
      const held = new Set(await host.renewLeases(wanted))
      ending.throwIfAborted()
      for (const shardId of this.#readers.keys()) if (!held.has(shardId)) this.#stop(shardId)
      for (const shard of this.#graph.readable()) if (held.has(shard.shardId)) this.#start(shard)
      await this.#leasing.sleep(host.leaseRenewMs, ending)
      ending.throwIfAborted()
    }
  }

  #start(shard: Shard): void {
    const { shardId } = shard
    // One that stops still appends perhaps; the next renewal starts another.
    if (this.#readers.has(shardId)) return
    const stop = new AbortController()
    const reader = new ShardReader(shard, this.#beginning, this.#tools)
    const stopped = reader
      .run(stop.signal)
      .then(() => {
        this.#graph.finish(shardId)
        this.#discovery.ring()
        this.#leasing.ring()
      })
      .catch((error: unknown) => {
        if (!stop.signal.aborted) this.#failure.abort(error)
      })
      .finally(() => {
        this.#readers.delete(shardId)
        this.#tools.host.ended(shardId)
      })
    this.#readers.set(shardId, { stop, stopped })
  }

  #stop(shardId: string): void {
    this.#readers.get(shardId)?.stop.abort()
  }
}
