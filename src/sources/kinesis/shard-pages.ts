/**
 * A shard's records as they come, from a place on, page by page, either by polling or by enhanced fan-out.
 * Both end at the end of a shard that was closed, and only there.
 *
 * Polling keeps to what the service allows a shard: five calls a second, and 2 MB/s, which all consumers
 * of the data stream have together. Who has caught up asks once a second, as Firehose does. Enhanced
 * fan-out pushes, and has 2 MB/s of its own; a subscription lasts five minutes and is taken again.
 *
 * Before anything is held in memory the gate is passed; what was read stays inside until the next page is
 * asked for. So it is the gate that bounds the memory, however many shards there are.
 */
import { backoffMs } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import type { SourceHost } from '../../source.ts'
import { KinesisFailure } from './kinesis-failure.ts'
import { PAGE_RECORDS_MAX } from './kinesis-service.ts'
import type { KinesisService, Shard, ShardPage, ShardPlace } from './kinesis-service.ts'
import type { ReadingGate } from './reading-gate.ts'

export interface ReadingPace {
  readonly callMsMin: number
  readonly bytesPerMs: number
  /** Between calls for a shard that has nothing more, and for a consumer that is being registered. */
  readonly idleMs: number
  /** Between looks for new shards. */
  readonly discoveryMs: number
  readonly retry: { readonly firstMs: number; readonly maxMs: number }
}

export const SERVICE_PACE: ReadingPace = {
  callMsMin: 200,
  bytesPerMs: (2 * 1024 * 1024) / 1_000,
  idleMs: 1_000,
  discoveryMs: 10_000,
  retry: { firstMs: 250, maxMs: 10_000 },
}

export interface ReadingTools {
  readonly service: KinesisService
  readonly host: SourceHost
  readonly gate: ReadingGate
  readonly clock: Clock
  readonly pace: ReadingPace
  /** Present: by enhanced fan-out. */
  readonly consumerArn: string | undefined
}

/** @throws KinesisFailure, and the signal's reason once it has aborted */
export function shardPages(
  shard: Shard,
  place: ShardPlace,
  tools: ReadingTools,
  signal: AbortSignal,
): AsyncGenerator<ShardPage> {
  const { consumerArn } = tools
  return consumerArn === undefined
    ? polledPages(shard, place, tools, signal)
    : pushedPages(consumerArn, shard, place, tools, signal)
}

async function* polledPages(
  shard: Shard,
  place: ShardPlace,
  tools: ReadingTools,
  signal: AbortSignal,
): AsyncGenerator<ShardPage> {
  const { service, host, gate, clock, pace } = tools
  let iterator = await service.iterator(shard.shardId, place, signal)
  let refusals = 0
  while (iterator !== undefined) {
    const leave = await gate.enter(signal)
    const startedMs = clock.monotonicMs()
    let waitMs: number
    try {
      const page = await service.records(iterator, signal)
      yield page
      iterator = page.next
      refusals = 0
      waitMs = pauseAfter(page, shard, pace)
    } catch (error) {
      if (!(error instanceof KinesisFailure) || !error.isThrottling) throw error
      // The iterator is still good.
      host.throttled(error.operation)
      refusals += 1
      waitMs = backoffMs(pace.retry, refusals, clock)
    } finally {
      leave()
    }
    if (iterator !== undefined) {
      await clock.sleep(startedMs + waitMs - clock.monotonicMs(), signal)
      signal.throwIfAborted()
    }
  }
}

function pauseAfter(
  { records, behindLatestMs }: ShardPage,
  { isClosed }: Shard,
  pace: ReadingPace,
): number {
  // Of a closed shard there is the end to be found, and not every server says how far behind one is.
  const expectsMore = behindLatestMs > 0 || isClosed || records.length >= PAGE_RECORDS_MAX
  if (!expectsMore) return pace.idleMs
  const bytes = records.reduce((sum, { data }) => sum + data.byteLength, 0)
  return Math.max(pace.callMsMin, bytes / pace.bytesPerMs)
}

async function* pushedPages(
  consumerArn: string,
  shard: Shard,
  place: ShardPlace,
  { service, gate, clock, pace }: ReadingTools,
  signal: AbortSignal,
): AsyncGenerator<ShardPage> {
  for (let from = place; ;) {
    const events = service.subscribe(consumerArn, shard.shardId, from, signal)
    try {
      for (;;) {
        await gate.admit(signal)
        const { done, value: page } = await events.next()
        signal.throwIfAborted()
        if (done === true) break
        const leave = await gate.enter(signal)
        try {
          yield page
        } finally {
          leave()
        }
        if (page.next === undefined) return
        from = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: page.next }
      }
    } finally {
      await events.return(undefined)
    }
    await clock.sleep(pace.callMsMin, signal)
    signal.throwIfAborted()
  }
}
