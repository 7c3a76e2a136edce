/**
 * One shard, from where it was left to its end:
 *
 *   opening ──▸ reading ──(end of a closed shard)──▸ over
 *      ▴           │
 *      └───────────┘ somebody else has gone on (at once), the iterator has expired (at once), or a call has
 *                    failed (after a while that grows)
 *
 * Reading begins AT the last record that was taken over, not after it, so that one sees whether it is
 * still there. If it is not, while there are others that came before reading began, then some between them
 * may have passed their retention: a gap.
 */
import { backoffMs } from '../../base/backoff.ts'
import { PositionMoved } from '../../chunk-origin.ts'
import type { SourcePartition } from '../../source.ts'
import type { Beginning } from './configuration.ts'
import { KinesisFailure } from './kinesis-failure.ts'
import type { KinesisRecord, Shard, ShardPlace } from './kinesis-service.ts'
import { newPageSize, shardPages } from './shard-pages.ts'
import type { ReadingTools } from './shard-pages.ts'
import { sourceRecords } from './shard-records.ts'

export class ShardReader {
  readonly #shard: Shard
  readonly #beginning: Beginning
  readonly #tools: ReadingTools
  readonly #size = newPageSize()
  /** In a row. */
  #failures = 0

  constructor(shard: Shard, beginning: Beginning, tools: ReadingTools) {
    this.#shard = shard
    this.#beginning = beginning
    this.#tools = tools
  }

  /**
   * Resolves when the shard is over and all of it taken over.
   * @throws the signal's reason once it has aborted, and what the host fails with
   */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.#readToEnd(signal)
        return
      } catch (error) {
        signal.throwIfAborted()
        await this.#recover(error, signal)
      }
    }
  }

  async #readToEnd(signal: AbortSignal): Promise<void> {
    const { host, clock } = this.#tools
    const { shardId } = this.#shard
    const [partition, ...parents] = await host.open([shardId, ...this.#shard.parents])
    if (partition === undefined) throw new Error(`Cannot read ${shardId}: it was not opened`)
    const openedMs = clock.nowMs()
    const place = this.#place(partition, parents)
    let last = partition.position
    let resuming = last !== undefined
    for await (const page of shardPages(this.#shard, place, this.#size, this.#tools, signal)) {
      const [first] = page.records
      if (resuming && first !== undefined) {
        if (first.sequenceNumber !== last && first.arrivedAtMs < openedMs) this.#reportGap(last)
        resuming = false
      }
      const unread = page.records.filter(({ sequenceNumber }) => sequenceNumber !== last)
      await this.#take(partition, unread, signal)
      last = unread.at(-1)?.sequenceNumber ?? last
      this.#failures = 0
      host.progress(shardId, { behindLatestMs: page.behindLatestMs })
    }
  }

  async #take(
    partition: SourcePartition,
    unread: readonly KinesisRecord[],
    signal: AbortSignal,
  ): Promise<void> {
    const { wantsMetadata } = this.#tools.host
    const records = unread.flatMap((record) => [
      ...sourceRecords(this.#shard, record, wantsMetadata),
    ])
    // None, where all were strays: they will be dropped again if the shard is read again.
    if (records.length > 0) await partition.append(records, signal)
  }

  /**
   * A shard that was never read is read from the stream's beginning, an instant, also if it is a child: its
   * parents may have been closed before that instant. But where records of a parent were taken over, all
   * of the child's are later, whatever the clocks of its service say.
   */
  #place({ position }: SourcePartition, parents: readonly SourcePartition[]): ShardPlace {
    if (position !== undefined) return { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: position }
    const isContinued = parents.some((parent) => parent.position !== undefined)
    return isContinued ? { type: 'TRIM_HORIZON' } : this.#beginning
  }

  #reportGap(position: string | undefined): void {
    const message = `Records after ${position} may have passed their retention before they were read`
    this.#tools.host.gap(this.#shard.shardId, undefined, message)
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { host, clock, pace } = this.#tools
    if (error instanceof PositionMoved) return
    if (!(error instanceof KinesisFailure)) throw error
    this.#failures += 1
    if (error.isIteratorExpired && this.#failures === 1) return
    if (error.isThrottling || error.isInUse) host.throttled(error.operation)
    else host.failed(error, this.#shard.shardId)
    await clock.sleep(backoffMs(pace.retry, this.#failures, clock), signal)
    signal.throwIfAborted()
  }
}
