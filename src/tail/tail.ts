/**
 * Follows files and sends their records to a stream, one request after the other.
 *
 * A position is entered only when all up to it was acknowledged, and written before the next request
 * leaves. So every record is sent at least once, and a restart repeats at most one request: the one
 * whose answer, or whose position, was lost. Of the files nothing more is read meanwhile than fits
 * into that request, and one piece of each file; they are only looked at, so that rotation is not
 * missed while the service is away.
 */
import { backoffMs } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { BatchGathering } from './batch-gathering.ts'
import type { Batch } from './batch-gathering.ts'
import type { FileChanges } from './directory-watch.ts'
import { FollowedFiles } from './followed-files.ts'
import type { Positions } from './position-file.ts'
import { RECORD_BYTES_MAX, shapeRecord } from './record-shape.ts'
import type { ShapingOptions } from './record-shape.ts'
import { RequestRefused } from './record-sender.ts'
import type { RecordSender } from './record-sender.ts'

const BACKOFF = { firstMs: 100, maxMs: 10_000 }
/** Files are looked at without a notice of a change, too. */
const POLL_MS = 1_000
/** New files are not looked for more often, however fast the known ones grow. */
const LOOK_MS = 250
/** A record of several lines is complete when no more come for so long. */
const RECORD_QUIET_MS = 1_000

export interface TailOptions extends ShapingOptions {
  readonly streamName: string
  /** Absolute. */
  readonly patterns: readonly string[]
  /** Where files begin that nobody looked for before. */
  readonly from: 'start' | 'end'
  /** Ends when all is sent that was there. */
  readonly once: boolean
  readonly skipHeaderLines: number
  readonly startsRecord: ((line: Buffer) => boolean) | undefined
  /** After so long without its newline, a line is sent as it is. Undefined: it waits. */
  readonly flushPartialMs: number | undefined
}

export interface TailTools {
  readonly sender: RecordSender
  readonly positions: {
    read(streamName: string): Promise<Positions | undefined>
    write(positions: Positions): Promise<void>
  }
  readonly changes: FileChanges
  readonly clock: Clock
  readonly logger: Logger
  /** Called after each request that was accepted. */
  readonly onProgress?: (summary: Readonly<TailSummary>) => void
}

export interface TailSummary {
  /** Accepted records, and their bytes. */
  recordCount: number
  dataBytes: number
  /** Records that were longer than a record may be, and lost their end. */
  truncatedCount: number
  /** Records that could not be converted: left out, unless they are kept. */
  unmatchedCount: number
  /** Requests that were made again, for all records or for some. */
  retryCount: number
  /** How often bytes were gone before they were read, and how many at least. */
  gapCount: number
  gapBytes: number
}

/**
 * Runs until the signal, or with `once` until all is sent.
 * @throws RequestRefused when the first request is refused as such: the command is wrong
 */
export async function tail(
  options: TailOptions,
  tools: TailTools,
  signal: AbortSignal,
): Promise<TailSummary> {
  const earlier = await tools.positions.read(options.streamName)
  const run = new TailRun(options, tools, signal, earlier)
  try {
    await run.go()
  } finally {
    await run.close()
  }
  return run.summary
}

class TailRun {
  readonly summary: TailSummary = {
    recordCount: 0,
    dataBytes: 0,
    truncatedCount: 0,
    unmatchedCount: 0,
    retryCount: 0,
    gapCount: 0,
    gapBytes: 0,
  }
  readonly #options: TailOptions
  readonly #tools: TailTools
  readonly #signal: AbortSignal
  readonly #files: FollowedFiles
  readonly #gathering: BatchGathering
  #lookedAtMs = 0

  constructor(
    options: TailOptions,
    tools: TailTools,
    signal: AbortSignal,
    earlier: Positions | undefined,
  ) {
    this.#options = options
    this.#tools = tools
    this.#signal = signal
    const { patterns, from, skipHeaderLines, startsRecord } = options
    const cutting = { recordBytesMax: RECORD_BYTES_MAX, skipHeaderLines, startsRecord }
    const { clock, logger } = tools
    const onGap = (path: string, lostBytes: number): void => this.#noteGap(path, lostBytes)
    this.#files = new FollowedFiles({ patterns, from, cutting, clock, logger, onGap }, earlier)
    this.#gathering = new BatchGathering(this.#files, (record) => shapeRecord(record, options))
  }

  async go(): Promise<void> {
    await this.#look()
    await this.#enter()
    while (!this.#signal.aborted) {
      this.#endWaiting()
      const batch = await this.#gathering.next()
      if (batch.reached.size > 0) await this.#deliver(batch)
      else if (this.#options.once) return
      else await this.#tools.changes.wait(POLL_MS, this.#signal)
      await this.#lookAgain()
    }
  }

  async close(): Promise<void> {
    this.#tools.changes.close()
    await this.#files.close()
  }

  async #look(): Promise<void> {
    this.#lookedAtMs = this.#tools.clock.monotonicMs()
    const hasChanged = await this.#files.look()
    this.#tools.changes.watch(this.#files.all.map(({ path }) => path))
    if (hasChanged) await this.#enter()
  }

  async #lookAgain(): Promise<void> {
    const isDue = this.#tools.clock.monotonicMs() - this.#lookedAtMs >= LOOK_MS
    if (isDue) await this.#look()
    else await this.#files.refresh()
  }

  /** Lets go what waits for more, where no more comes. */
  #endWaiting(): void {
    const { once, flushPartialMs = Infinity } = this.#options
    const nowMs = this.#tools.clock.monotonicMs()
    for (const file of this.#files.all) {
      if (file.hasMore) continue
      const quietMs = file.quietMs(nowMs)
      if (once || (file.holdsPartialLine && quietMs >= flushPartialMs)) file.endLine()
      else if (file.holdsLines && quietMs >= RECORD_QUIET_MS) file.endRecord()
    }
  }

  /** Sends a batch, and what is refused of it again, until all is accepted or the signal comes. */
  async #deliver(batch: Batch): Promise<void> {
    let open = batch.records
    for (let attempt = 1; open.length > 0; attempt += 1) {
      const refused = await this.#attempt(open)
      if (refused.length > 0) {
        if (this.#signal.aborted) return
        this.summary.retryCount += 1
        await this.#pause(backoffMs(BACKOFF, attempt, this.#tools.clock))
        if (this.#signal.aborted) return
      }
      open = refused
    }
    this.summary.truncatedCount += batch.truncatedCount
    this.summary.unmatchedCount += batch.unmatchedCount
    for (const [file, offset] of batch.reached) file.acknowledgedOffset = offset
    await this.#enter()
    this.#tools.onProgress?.(this.summary)
  }

  /** One request; gives what was not accepted. */
  async #attempt(records: Buffer[]): Promise<Buffer[]> {
    const { sender, logger } = this.#tools
    try {
      const refusals = await sender.send(records)
      const indexes = new Set(refusals.map(({ index }) => index))
      const refused = records.filter((_, index) => indexes.has(index))
      this.summary.recordCount += records.length - refused.length
      this.summary.dataBytes += bytesOf(records) - bytesOf(refused)
      if (refused.length > 0) {
        const reason = refusals[0]?.reason
        logger.warn({ refusedCount: refused.length, reason }, 'Records were refused, sending again')
      }
      return refused
    } catch (error) {
      const isFirst = this.summary.recordCount === 0 && this.summary.retryCount === 0
      if (error instanceof RequestRefused && isFirst) throw error
      logger.warn({ recordCount: records.length, error }, 'Cannot send records, trying again')
      return records
    }
  }

  /** Files are looked at meanwhile: what is rotated away now could not be found later. */
  async #pause(durationMs: number): Promise<void> {
    const { clock } = this.#tools
    const endMs = clock.monotonicMs() + durationMs
    while (!this.#signal.aborted && clock.monotonicMs() < endMs) {
      await clock.sleep(Math.min(endMs - clock.monotonicMs(), POLL_MS), this.#signal)
      await this.#lookAgain()
    }
  }

  /** A position that can't be written now is written with the next one. */
  async #enter(): Promise<void> {
    const { streamName, patterns } = this.#options
    try {
      await this.#tools.positions.write({ streamName, patterns, files: this.#files.positions })
    } catch (error) {
      this.#tools.logger.error({ error }, 'Cannot write the positions; a restart would send again')
    }
  }

  #noteGap(path: string, lostBytes: number): void {
    this.summary.gapCount += 1
    this.summary.gapBytes += lostBytes
    this.#tools.logger.error(
      { path, lostBytes },
      'Lines are lost: a file was truncated or removed before all of it was read',
    )
  }
}

function bytesOf(records: readonly Buffer[]): number {
  return records.reduce((sum, { byteLength }) => sum + byteLength, 0)
}
