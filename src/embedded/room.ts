import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { AppendError } from '../batch-store.ts'
import type { StoreUsage } from '../batch-store.ts'
import type { FileSystem } from './file-system.ts'
import type { Quarantine } from './quarantine.ts'
import type { StagedBytes } from './staged-bytes.ts'

/** What the largest PutRecordBatch brings; with less room than this the store is as good as full. */
const LARGEST_PUT_BYTES = 4 * 1024 * 1024

/** How old the knowledge of the file system's free space may be. */
const LOOK_MS = 1_000

export interface RoomLimits {
  /** What batches, open and sealed, and what is staged of them may occupy together. */
  readonly quotaBytes: number
  /** What is left free on the file system, for everybody else on it. */
  readonly freeBytesMin: number
  readonly batchesMax: number
}

export interface RoomOptions {
  readonly limits: RoomLimits
  /** Counts against the quota; staging itself is not refused by it, for it leads to room. */
  readonly stagedBytes: StagedBytes
  readonly directory: string
  readonly fileSystem: FileSystem
  readonly quarantine: Quarantine
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Admission to the store. Keeps the sums and refuses what would exceed a limit; accepts again by
 * itself when batches are removed or the file system has space again. Asks the file system once a
 * second at most, and counts what is written in between.
 */
export class Room {
  readonly #options: RoomOptions
  #storedBytes = 0
  #batchCount = 0
  #freeBytes = 0
  #quarantinedChunkCount = 0
  #lookedAtMs = -Infinity

  constructor(options: RoomOptions) {
    this.#options = options
  }

  /** Looks at the file system, if the last look is too old. */
  async refresh(): Promise<void> {
    const { clock, fileSystem, directory, quarantine, logger } = this.#options
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#lookedAtMs < LOOK_MS) return
    this.#lookedAtMs = nowMs
    try {
      this.#freeBytes = await fileSystem.freeBytes(directory)
      this.#quarantinedChunkCount = await quarantine.count()
    } catch (error) {
      logger.warn({ directory, error }, 'The file system does not tell how much room it has.')
    }
  }

  /** Why `sizeBytes` more, in `newBatches` new batches, can't be taken; undefined when they can. */
  refusal(sizeBytes: number, newBatches: number): AppendError | undefined {
    const { quotaBytes, freeBytesMin, batchesMax } = this.#options.limits
    if (this.#occupiedBytes + sizeBytes > quotaBytes) return full('the disk quota is used up')
    if (this.#freeBytes - sizeBytes < freeBytesMin) return full('the file system has no room')
    if (this.#batchCount + newBatches > batchesMax) return full('there are too many batches')
    return undefined
  }

  take(sizeBytes: number, batchCount: number): void {
    this.#storedBytes += sizeBytes
    this.#freeBytes -= sizeBytes
    this.#batchCount += batchCount
  }

  giveBack(sizeBytes: number, batchCount: number): void {
    this.take(-sizeBytes, -batchCount)
  }

  get #occupiedBytes(): number {
    return this.#storedBytes + this.#options.stagedBytes.total
  }

  usage(): StoreUsage {
    const { quotaBytes } = this.#options.limits
    const usefulBytes = Math.max(1, Math.min(LARGEST_PUT_BYTES, quotaBytes / 16))
    return {
      storedBytes: this.#occupiedBytes,
      quotaBytes,
      batchCount: this.#batchCount,
      quarantinedChunkCount: this.#quarantinedChunkCount,
      accepting: this.refusal(usefulBytes, 1) === undefined,
    }
  }
}

function full(why: string): AppendError {
  return new AppendError('full', `Cannot append: ${why}`)
}
