/**
 * How far the partitions of one stream are read, while the process runs.
 *
 *   chunk durable ─take▶ known, in the chunks only ─log▶ known, and in the positions' file
 *
 * What is in the file is read when it is first needed. Whether a chunk is in its turn is decided by what
 * is known alone, so that must never be less than what may be delivered: while a chunk whose append has
 * failed may yet turn up after a crash, no other is taken over.
 */
import { strict as assert } from 'node:assert'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { AppendError } from '../batch-store.ts'
import { ORIGIN_KEPT_MS, ORIGINS_KEPT_MAX } from '../chunk-origin.ts'
import type { ChunkOrigin, PartitionPosition } from '../chunk-origin.ts'
import type { BatchWriter } from './batch-writer.ts'
import { PositionLog } from './position-log.ts'
import type { PositionLogOptions } from './position-log.ts'
import type { Quarantine } from './quarantine.ts'

export interface StreamPositionsOptions extends PositionLogOptions {
  readonly quarantine: Quarantine
  readonly clock: Clock
  readonly logger: Logger
}

export class StreamPositions {
  readonly #options: StreamPositionsOptions
  readonly #log: PositionLog
  readonly #partitions = new Map<string, PartitionPosition>()
  /** The oldest first, or nearly so. */
  readonly #passing = new Map<string, PartitionPosition>()
  /** Known, and not durable but in chunks of batches that are not sealed. */
  readonly #news = new Map<string, PartitionPosition>()
  readonly #doubtful = new Set<BatchWriter>()
  #loading: Promise<void> | undefined
  #loaded = false
  #damagedCount = 0
  /** The act on the file before; it never rejects. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: StreamPositionsOptions) {
    this.#options = options
    this.#log = new PositionLog(options)
  }

  /** Nothing is known here that another of this stream would not find in the file. */
  get isUntouched(): boolean {
    return this.#loading === undefined && !this.#loaded && this.#doubtful.size === 0
  }

  /** Reads what earlier processes have left. To be called before anything is asked or taken. */
  async load(): Promise<void> {
    if (this.#loaded) return
    this.#loading ??= this.#load().finally(() => (this.#loading = undefined))
    await this.#loading
  }

  /**
   * Resolves when chunks with origins may be taken.
   * @throws AppendError while one that has failed may yet turn up
   */
  async admit(): Promise<void> {
    await this.load()
    for (const batch of this.#doubtful) {
      // One with records is sealed, and that is tried again elsewhere.
      if (batch.doubtful && batch.recordCount === 0) await batch.abandon()
      if (batch.doubtful) {
        throw new AppendError('failed', 'Cannot append: the disk may still hold what failed before')
      }
      this.#doubtful.delete(batch)
    }
  }

  /** Something that was to go into the batch has failed and may turn up. */
  doubt(batch: BatchWriter): void {
    this.#doubtful.add(batch)
  }

  /** Whether a chunk of that origin is in its turn; false also before it is known. */
  isNext({ partition, sequence }: ChunkOrigin): boolean {
    if (!this.#loaded || this.#doubtful.size > 0) return false
    this.#forget()
    return sequence === (this.#known(partition)?.sequence ?? 0) + 1
  }

  /** The chunk that brought the position is durable. */
  take(position: PartitionPosition): void {
    this.#enter(position)
    this.#news.set(position.partition, position)
  }

  all(): readonly PartitionPosition[] {
    this.#forget()
    return [...this.#partitions.values(), ...this.#passing.values()]
  }

  /**
   * Enters what chunks found by recovery, or another store, have brought; what is known to be further
   * stays. Durable in the file when it resolves.
   */
  async enter(positions: Iterable<PartitionPosition>): Promise<void> {
    await this.load()
    for (const position of positions) {
      // Also what is known already: that it could be read in the file does not make it durable there.
      if (this.#isAsFar(position)) this.take(position)
    }
    await this.log()
  }

  /** Makes all that is known durable in the file. It may be repeated when it has failed. */
  log(): Promise<void> {
    return this.#inTurn(async () => {
      this.#forget()
      if (this.#news.size === 0) return
      const news = [...this.#news.values()]
      await this.#write(news)
      for (const position of news) {
        // Unless it has gone further meanwhile.
        if (this.#news.get(position.partition) === position) this.#news.delete(position.partition)
      }
    })
  }

  /** Writes the file anew if lines of it were damaged; returns in how many places. */
  async mend(): Promise<number> {
    await this.load()
    if (this.#damagedCount > 0) await this.#inTurn(() => this.#write([]))
    return this.#damagedCount
  }

  #write(news: readonly PartitionPosition[]): Promise<void> {
    assert(this.#loaded, 'what was read is written again with what is new')
    const count = this.#partitions.size + this.#passing.size
    return this.#log.write(news, { count, all: () => this.all() })
  }

  #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(act)
    this.#turn = result.catch(() => {})
    return result
  }

  async #load(): Promise<void> {
    const { paths, streamId, quarantine, logger } = this.#options
    const { positions, damaged } = await this.#log.read()
    if (damaged.length > 0) {
      const path = paths.positions(streamId)
      logger.error(
        { streamId, path, damaged },
        'It is lost how far partitions of a source were read; records may be taken over twice.',
      )
      await quarantine.keepPositions(streamId, path, damaged)
    }
    this.#damagedCount = damaged.length
    for (const position of positions) if (this.#isAsFar(position)) this.#enter(position)
    this.#loaded = true
  }

  #isAsFar({ partition, sequence, atMs }: PartitionPosition): boolean {
    const known = this.#known(partition)
    if (known === undefined || sequence > known.sequence) return true
    return sequence === known.sequence && atMs >= known.atMs
  }

  #known(partition: string): PartitionPosition | undefined {
    return this.#partitions.get(partition) ?? this.#passing.get(partition)
  }

  #enter(position: PartitionPosition): void {
    const { partition } = position
    if (position.passing !== true) {
      this.#partitions.set(partition, position)
      return
    }
    this.#passing.delete(partition)
    this.#passing.set(partition, position)
  }

  /** Lets go of requests that are old, or too many. */
  #forget(): void {
    const forgottenMs = this.#options.clock.nowMs() - ORIGIN_KEPT_MS
    for (const [partition, { atMs }] of this.#passing) {
      if (atMs >= forgottenMs && this.#passing.size <= ORIGINS_KEPT_MAX) return
      this.#passing.delete(partition)
      this.#news.delete(partition)
    }
  }
}

/** The positions of all streams of a data directory. */
export class PositionKeeper {
  readonly #options: Omit<StreamPositionsOptions, 'streamId'>
  readonly #streams = new Map<string, StreamPositions>()

  constructor(options: Omit<StreamPositionsOptions, 'streamId'>) {
    this.#options = options
  }

  of(streamId: string): StreamPositions {
    let positions = this.#streams.get(streamId)
    if (positions === undefined) {
      positions = new StreamPositions({ ...this.#options, streamId })
      this.#streams.set(streamId, positions)
    }
    return positions
  }

  /** Most streams have no positions, and shall cost nothing. */
  letGo(streamId: string): void {
    if (this.#streams.get(streamId)?.isUntouched === true) this.#streams.delete(streamId)
  }

  /** The stream's file is gone. */
  forget(streamId: string): void {
    this.#streams.delete(streamId)
  }
}
