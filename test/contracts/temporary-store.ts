import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '../../src/base/logger.ts'
import { BatchIds } from '../../src/batch.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { AppendTarget } from '../../src/batch-store.ts'
import { BatchFiles } from '../../src/embedded/batch-files.ts'
import { BatchPaths } from '../../src/embedded/batch-paths.ts'
import { LocalKeyRing } from '../../src/embedded/local-key-ring.ts'
import type { RoomLimits } from '../../src/embedded/room.ts'
import { StagedBytes } from '../../src/embedded/staged-bytes.ts'
import { FaultyFileSystem } from './faulty-file-system.ts'
import { ManualClock } from './manual-clock.ts'

export const NO_LIMITS: RoomLimits = {
  quotaBytes: 1_000_000_000,
  freeBytesMin: 0,
  batchesMax: 1_000,
}

/** A data directory that goes when the test ends, and batch files in it with all that they need. */
export class TemporaryStore implements AsyncDisposable {
  readonly directory: string
  readonly paths: BatchPaths
  readonly clock = new ManualClock()
  readonly keyRing = LocalKeyRing.fromSetting(Buffer.alloc(32, 7).toString('base64'), this.clock)
  readonly fileSystem = new FaultyFileSystem()
  stagedBytes = new StagedBytes()
  readonly sealed: SealedBatch[] = []
  /** Messages of what was logged at WARN and ERROR. */
  readonly complaints: string[] = []
  readonly logger: Logger = {
    debug() {},
    info() {},
    warn: (_fields, message) => void this.complaints.push(`warn: ${message}`),
    error: (_fields, message) => void this.complaints.push(`error: ${message}`),
  }
  readonly #ids = new BatchIds(this.clock)
  readonly #opened: BatchFiles[] = []

  private constructor(directory: string) {
    this.directory = directory
    this.paths = new BatchPaths(directory)
  }

  static async make(): Promise<TemporaryStore> {
    return new TemporaryStore(await mkdtemp(join(tmpdir(), 'standpipe-store-')))
  }

  target(facts: Partial<AppendTarget> = {}): AppendTarget {
    return { streamId: this.#ids.next(), sizeBytesMax: 1_000_000, ageMsMax: 60_000, ...facts }
  }

  /** Opens the store as the next process would; the one before is closed. */
  async open(limits: Partial<RoomLimits> = {}): Promise<BatchFiles> {
    await this.#opened.at(-1)?.close()
    this.stagedBytes = new StagedBytes()
    const store = await BatchFiles.open({
      dataDirectory: this.directory,
      fileSystem: this.fileSystem,
      keyRing: this.keyRing,
      clock: this.clock,
      logger: this.logger,
      stagedBytes: this.stagedBytes,
      limits: { ...NO_LIMITS, ...limits },
      onSealed: (batch) => this.sealed.push(batch),
    })
    this.#opened.push(store)
    return store
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.fileSystem.fault = () => undefined
    await this.#opened.at(-1)?.close()
    await rm(this.directory, { recursive: true, force: true })
  }
}
