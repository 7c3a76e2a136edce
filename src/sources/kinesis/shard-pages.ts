/**
 * A shard's records as they come, from a place on, page by page, either by polling or by enhanced fan-out.
 * Both end at the end of a shard that was closed, and only there.
 *
 * Polling keeps to what the service allows a shard: five calls a second, and 2 MB/s, which all consumers
 * of the data stream have together. Who has caught up asks once a second, as Firehose does. Enhanced
 * fan-out pushes, and has 2 MB/s of its own; a subscription lasts five minutes and is taken again.
 *
 * Before a page is asked for the gate is passed, and it stays inside until it is taken over. So it is the
 * gate that bounds the memory, however many shards there are. A page that is pushed comes when it likes,
 * and waits outside: one for each shard.
 */
import { backoffMs } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import type { SourceHost } from '../../source.ts'
import { ReadSize } from '../read-size.ts'
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

/**
 * About so much is asked for at once. Five times a second it is more than the service gives, and little
 * beside the 10 MiB that a page can have, of which there are several copies for a while.
 */
const PAGE_BYTES = 1024 * 1024

export function newPageSize(): ReadSize {
  return new ReadSize(PAGE_BYTES, PAGE_RECORDS_MAX)
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

/**
 * @param size what is known of the shard's records, and learned on the way
 * @throws KinesisFailure, and the signal's reason once it has aborted
 */
export function shardPages(
  shard: Shard,
  place: ShardPlace,
  size: ReadSize,
  tools: ReadingTools,
  signal: AbortSignal,
): AsyncGenerator<ShardPage> {
  const { consumerArn } = tools
  return consumerArn === undefined
    ? polledPages(shard, place, size, tools, signal)
    : pushedPages(consumerArn, shard, place, tools, signal)
}

async function* polledPages(
  shard: Shard,
  place: ShardPlace,
  size: ReadSize,
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
      const page = await service.records(iterator, size.count, signal)
      const isFull = page.records.length >= size.count
      size.learn(meanSize(page))
      yield page
      iterator = page.next
      refusals = 0
      waitMs = pauseAfter(page, isFull, shard, pace)
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
  isFull: boolean,
  { isClosed }: Shard,
  pace: ReadingPace,
): number {
  // Of a closed shard there is the end to be found, and not every server says how far behind one is.
  const expectsMore = behindLatestMs > 0 || isClosed || isFull
  if (!expectsMore) return pace.idleMs
  return Math.max(pace.callMsMin, bytesOf(records) / pace.bytesPerMs)
}

/** Not the largest: calls are few, so that small pages would be slow. */
function meanSize({ records }: ShardPage): readonly number[] {
  return records.length === 0 ? [] : [bytesOf(records) / records.length]
}

function bytesOf(records: ShardPage['records']): number {
  return records.reduce((sum, { data }) => sum + data.byteLength, 0)
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
