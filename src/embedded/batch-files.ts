import { strict as assert } from 'node:assert'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { BatchIds } from '../batch.ts'
import type { BatchId, Chunk, SealedBatch, SealReason } from '../batch.ts'
import { AppendError } from '../batch-store.ts'
import type {
  Appended,
  AppendTarget,
  BatchReading,
  BatchStore,
  KeyRing,
  OpenBatch,
  StoreUsage,
} from '../batch-store.ts'
import type { PartitionPosition } from '../chunk-origin.ts'
import type { Manifest, OrdinalRange } from '../manifest.ts'
import type { StagedBatch, StagingWriter } from '../staging.ts'
import { BatchFileContents } from './batch-contents.ts'
import { BatchImporter } from './batch-importer.ts'
import { BatchPaths } from './batch-paths.ts'
import type { BatchName } from './batch-paths.ts'
import { appendError, BatchWriter } from './batch-writer.ts'
import { makeDirectories, unlinkIfThere, withFileIfThere } from './file-operations.ts'
import type { FileSystem } from './file-system.ts'
import { Quarantine } from './quarantine.ts'
import { readFooter } from './recovery.ts'
import { Room } from './room.ts'
import type { RoomLimits } from './room.ts'
import { Sealer } from './sealer.ts'
import { findFiles, putInOrder, startUp } from './start-up.ts'
import type { FoundFile, StartUpOptions } from './start-up.ts'
import { unlinkStaged } from './staged-bytes.ts'
import type { StagedBytes } from './staged-bytes.ts'
import { StreamDirectories } from './stream-directories.ts'
import { PositionKeeper } from './stream-positions.ts'
import { StreamWriter } from './stream-writer.ts'

/** How often a file is tried that could not be recovered. */
const RECOVER_MS = 1_000

export interface BatchFilesOptions {
  /** Made when missing. The caller holds its lock (data-lock.ts). */
  readonly dataDirectory: string
  readonly fileSystem: FileSystem
  readonly keyRing: KeyRing
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: RoomLimits
  /** Shared with whoever else stages in the directory. */
  readonly stagedBytes: StagedBytes
  /**
   * Called once for each batch sealed by this process, when that is durable. Batches found at
   * start-up are not announced: `list` tells them.
   */
  readonly onSealed: (batch: SealedBatch) => void
  /**
   * Called for each batch that start-up found and could not recover, when it is recovered: like those
   * that `list` tells it may have been delivered by an earlier process. Absent: `onSealed` is.
   */
  readonly onRecovered?: (batch: SealedBatch) => void
}

/**
 * The embedded BatchStore: one file a batch (batch-file.ts), one directory a stream
 * (batch-paths.ts). A stream with nothing open holds neither file nor timer.
 */
export class BatchFiles implements BatchStore {
  readonly #options: BatchFilesOptions
  readonly #paths: BatchPaths
  readonly #ids: BatchIds
  readonly #quarantine: Quarantine
  readonly #contents: BatchFileContents
  readonly #room: Room
  readonly #sealer: Sealer
  readonly #importer: BatchImporter
  readonly #writers = new Map<string, StreamWriter>()
  readonly #directories: StreamDirectories
  readonly #positions: PositionKeeper
  /** Files that the disk did not let start-up recover. */
  readonly #unrecovered = new Map<BatchId, FoundFile>()
  #recoverAtMs = -Infinity
  #closed = false

  private constructor(options: BatchFilesOptions) {
    const { dataDirectory, fileSystem, clock, logger, limits, stagedBytes, onSealed } = options
    this.#options = options
    this.#paths = new BatchPaths(dataDirectory)
    this.#ids = new BatchIds(clock)
    this.#directories = new StreamDirectories(fileSystem, this.#paths)
    this.#contents = new BatchFileContents(options)
    this.#quarantine = new Quarantine({ fileSystem, paths: this.#paths, logger })
    this.#positions = new PositionKeeper({
      fileSystem,
      paths: this.#paths,
      quarantine: this.#quarantine,
      clock,
      logger,
    })
    this.#room = new Room({
      limits,
      stagedBytes,
      directory: dataDirectory,
      fileSystem,
      quarantine: this.#quarantine,
      clock,
      logger,
    })
    this.#sealer = new Sealer({ clock, logger, room: this.#room, onSealed })
    this.#importer = new BatchImporter({
      clock,
      room: this.#room,
      isSealed: (name) => this.#isSealed(name),
      create: (target, batchId) => this.#createImport(target, batchId),
      onSealed,
    })
  }

  /** Recovers what an earlier process left. */
  static async open(options: BatchFilesOptions): Promise<BatchFiles> {
    const store = new BatchFiles(options)
    // The directory itself first: whoever made it need not have made it durable.
    await makeDirectories(options.fileSystem, options.dataDirectory)
    await makeDirectories(options.fileSystem, store.#paths.batches)
    await makeDirectories(options.fileSystem, store.#paths.quarantine)
    await startUp(store.#startUpOptions(), {
      sealed: ({ storedBytes }) => store.#room.take(storedBytes, 1),
      staged: (sizeBytes) => options.stagedBytes.add(sizeBytes),
      failed: (file) => store.#unrecovered.set(file.name.batchId, file),
    })
    await store.#room.refresh()
    return store
  }

  append(target: AppendTarget, chunk: Chunk): Promise<Appended> {
    assert(chunk.recordCount > 0, 'a chunk holds records')
    if (this.#closed) {
      return Promise.reject(new AppendError('failed', 'Cannot append: the store is closed'))
    }
    if (chunk.origin !== undefined && this.#isUnrecovered(target.streamId)) {
      return Promise.reject(unrecovered('append'))
    }
    return this.#writer(target.streamId).append(target, chunk)
  }

  async positions(streamId: string): Promise<readonly PartitionPosition[]> {
    if (this.#isUnrecovered(streamId)) throw unrecovered('tell positions')
    const positions = this.#positions.of(streamId)
    await positions.load()
    return positions.all()
  }

  restorePositions(streamId: string, positions: readonly PartitionPosition[]): Promise<void> {
    return this.#writer(streamId).alone(async () => {
      await this.#directories.make(streamId)
      await this.#positions.of(streamId).enter(positions)
    })
  }

  importBatch(
    target: AppendTarget,
    batchId: BatchId,
    chunks: AsyncIterable<Chunk>,
    reason: SealReason,
  ): Promise<boolean> {
    if (this.#closed) {
      return Promise.reject(new AppendError('failed', 'Cannot import: the store is closed'))
    }
    return this.#importer.import({ target, batchId, chunks, reason })
  }

  async seal(streamId: string, reason: SealReason): Promise<void> {
    await this.#writers.get(streamId)?.seal(reason)
  }

  async sealAll(reason: SealReason): Promise<void> {
    await Promise.all([...this.#writers.values()].map((writer) => writer.seal(reason)))
  }

  async sealDue(monotonicMs: number): Promise<void> {
    await this.#room.refresh()
    await this.#sealer.retryDue(monotonicMs)
    await this.#recoverAgain(monotonicMs)
    await Promise.all([...this.#writers.values()].map((writer) => writer.sealDue(monotonicMs)))
  }

  nextDueMs(): number | undefined {
    let nextMs = this.#sealer.nextDueMs() ?? Infinity
    for (const writer of this.#writers.values()) {
      nextMs = Math.min(nextMs, writer.nextDueMs() ?? Infinity)
    }
    return nextMs === Infinity ? undefined : nextMs
  }

  async openBatches(streamId: string): Promise<readonly OpenBatch[]> {
    const open = this.#writers.get(streamId)?.openBatch()
    return [...this.#sealer.sealing(streamId), ...(open === undefined ? [] : [open])]
  }

  async *list(): AsyncGenerator<SealedBatch> {
    const { fileSystem, logger } = this.#options
    for await (const { name, kind } of findFiles(this.#startUpOptions())) {
      // One that is not recovered yet is announced, and counted, when it is.
      if (kind !== 'batch' || this.#unrecovered.has(name.batchId)) continue
      const path = this.#paths.file(name, 'batch')
      const found = await withFileIfThere(fileSystem, path, async (file) => ({
        batch: await readFooter(file, name),
      }))
      if (found?.batch !== undefined) yield found.batch
      else if (found !== undefined) logger.error(name, 'The footer of a batch file is damaged.')
    }
  }

  /**
   * The batch goes before its manifest, durably: were it the other way round, a crash in between
   * would leave a delivered batch that looks like one nobody has touched. What is left behind of
   * manifest and staging is removed at start-up.
   */
  async remove(batch: SealedBatch): Promise<void> {
    const { fileSystem, stagedBytes } = this.#options
    // Not synced: should the file come back after a loss of power, its receipt says that it may go.
    if (await unlinkIfThere(fileSystem, this.#paths.file(batch, 'batch'))) {
      this.#room.giveBack(batch.storedBytes, 1)
    }
    await unlinkIfThere(fileSystem, this.#paths.file(batch, 'manifest'))
    await unlinkStaged(fileSystem, this.#paths.file(batch, 'staged'), stagedBytes)
  }

  discard(streamId: string): Promise<void> {
    return this.#writer(streamId).release(async () => {
      await this.#sealer.close(streamId)
      await this.#importer.discard(streamId)
      await this.#directories.remove(streamId, ({ batchId }, kind, sizeBytes) => {
        if (kind === 'staged') this.#options.stagedBytes.add(-sizeBytes)
        if (kind !== 'batch' && kind !== 'open') return
        const wasCounted = !this.#unrecovered.delete(batchId)
        if (wasCounted) this.#room.giveBack(sizeBytes, 1)
      })
      this.#positions.forget(streamId)
    })
  }

  usage(): StoreUsage {
    return this.#room.usage()
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#importer.discard()
    await Promise.all([...this.#writers.values()].map((writer) => writer.release()))
    await this.#sealer.close()
  }

  read(batch: SealedBatch, range?: OrdinalRange): BatchReading {
    return this.#contents.read(batch, range)
  }

  manifest(batch: SealedBatch): Promise<Manifest | undefined> {
    return this.#contents.manifest(batch)
  }

  freeze(batch: SealedBatch, manifest: Manifest): Promise<void> {
    return this.#contents.freeze(batch, manifest)
  }

  thaw(batch: SealedBatch): Promise<void> {
    return this.#contents.thaw(batch)
  }

  stage(batch: SealedBatch): Promise<StagingWriter> {
    return this.#contents.stage(batch)
  }

  staged(batch: SealedBatch): Promise<StagedBatch | undefined> {
    return this.#contents.staged(batch)
  }

  unstage(batch: SealedBatch): Promise<void> {
    return this.#contents.unstage(batch)
  }

  #writer(streamId: string): StreamWriter {
    let writer = this.#writers.get(streamId)
    if (writer === undefined) {
      writer = new StreamWriter({
        room: this.#room,
        sealer: this.#sealer,
        positions: () => this.#positions.of(streamId),
        openBatch: (target) => this.#openBatch(target),
        onIdle: () => {
          this.#writers.delete(streamId)
          this.#positions.letGo(streamId)
        },
      })
      this.#writers.set(streamId, writer)
    }
    return writer
  }

  #openBatch(target: AppendTarget): Promise<BatchWriter> {
    return this.#createBatch(target, this.#ids.next(), 'open')
  }

  async #createImport(target: AppendTarget, batchId: BatchId): Promise<BatchWriter> {
    const name = { streamId: target.streamId, batchId }
    try {
      await unlinkIfThere(this.#options.fileSystem, this.#paths.file(name, 'import'))
    } catch (error) {
      throw appendError(error)
    }
    return this.#createBatch(target, batchId, 'import')
  }

  async #isSealed(name: BatchName): Promise<boolean> {
    const path = this.#paths.file(name, 'batch')
    const found = await withFileIfThere(this.#options.fileSystem, path, async () => true)
    return found === true
  }

  async #createBatch(
    target: AppendTarget,
    batchId: BatchId,
    kind: 'open' | 'import',
  ): Promise<BatchWriter> {
    const { fileSystem, clock, logger } = this.#options
    try {
      await this.#directories.make(target.streamId)
    } catch (error) {
      throw appendError(error)
    }
    return BatchWriter.create({
      batchId,
      target,
      kind,
      bornMs: clock.nowMs(),
      dueMs: clock.monotonicMs() + target.ageMsMax,
      fileSystem,
      paths: this.#paths,
      logger,
      beforeRename: () => this.#positions.of(target.streamId).log(),
    })
  }

  /** Chunks may be taken over in a file that could not be read yet. */
  #isUnrecovered(streamId: string): boolean {
    const files = [...this.#unrecovered.values()]
    return files.some(({ name, kind }) => name.streamId === streamId && kind === 'open')
  }

  async #recoverAgain(monotonicMs: number): Promise<void> {
    if (this.#unrecovered.size === 0 || monotonicMs < this.#recoverAtMs) return
    this.#recoverAtMs = monotonicMs + RECOVER_MS
    const { onSealed, onRecovered = onSealed } = this.#options
    for (const [batchId, file] of this.#unrecovered) {
      let again: FoundFile | undefined
      await putInOrder(file, this.#startUpOptions(), {
        sealed: (batch) => {
          this.#unrecovered.delete(batchId)
          this.#room.take(batch.storedBytes, 1)
          onRecovered(batch)
        },
        staged() {},
        failed: (failed) => (again = failed),
      })
      // Only now: meanwhile nobody knows what was taken over with it.
      if (again === undefined) this.#unrecovered.delete(batchId)
      else this.#unrecovered.set(batchId, again)
    }
  }

  #startUpOptions(): StartUpOptions {
    const { fileSystem, clock, logger } = this.#options
    return {
      fileSystem,
      paths: this.#paths,
      quarantine: this.#quarantine,
      positions: this.#positions,
      clock,
      logger,
    }
  }
}

function unrecovered(act: string): AppendError {
  return new AppendError('failed', `Cannot ${act}: a batch of the stream is not recovered yet`)
}
