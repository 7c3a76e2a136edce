/**
 * Batches that are made as a whole, from birth to seal (BatchStore.importBatch).
 *
 *   nothing ─chunks▶ .import ─seal▶ .batch, announced
 *                       └─ a chunk, the disk or the room fails ─▶ nothing
 *
 * Unlike an open batch, one that is unfinished when the process dies was promised to nobody: start-up
 * removes it, and whoever wanted it imports it again. A batch all of whose chunks are durable and whose
 * seal has failed is kept, and the next call seals it.
 */
import type { Clock } from '../base/clock.ts'
import type { BatchId, Chunk, SealedBatch, SealReason } from '../batch.ts'
import { AppendError } from '../batch-store.ts'
import type { AppendTarget } from '../batch-store.ts'
import { FOOTER_BYTES } from './batch-file.ts'
import type { BatchName } from './batch-paths.ts'
import { appendError } from './batch-writer.ts'
import type { BatchWriter } from './batch-writer.ts'
import type { Room } from './room.ts'

export interface BatchImporterOptions {
  readonly clock: Clock
  readonly room: Room
  readonly isSealed: (name: BatchName) => Promise<boolean>
  /**
   * A new file for the import, in place of one that an earlier call could not remove.
   * @throws AppendError
   */
  readonly create: (target: AppendTarget, batchId: BatchId) => Promise<BatchWriter>
  readonly onSealed: (batch: SealedBatch) => void
}

interface BatchImport {
  readonly target: AppendTarget
  readonly batchId: BatchId
  readonly chunks: AsyncIterable<Chunk>
  readonly reason: SealReason
}

interface Running {
  readonly streamId: string
  readonly finished: Promise<boolean>
  readonly stop: AbortController
}

export class BatchImporter {
  readonly #options: BatchImporterOptions
  readonly #running = new Map<BatchId, Running>()
  /** Whole, and not sealed because the disk failed. */
  readonly #unsealed = new Map<BatchId, BatchWriter>()

  constructor(options: BatchImporterOptions) {
    this.#options = options
  }

  /** A second call for a batch joins the first. */
  import(batch: BatchImport): Promise<boolean> {
    const { batchId, target } = batch
    const running = this.#running.get(batchId)
    if (running !== undefined) return running.finished
    const stop = new AbortController()
    const finished = this.#import(batch, stop.signal).finally(() => this.#running.delete(batchId))
    this.#running.set(batchId, { streamId: target.streamId, finished, stop })
    return finished
  }

  /** Stops and forgets what is not sealed yet, of one stream or of all. */
  async discard(streamId?: string): Promise<void> {
    const isMeant = (other: string): boolean => streamId === undefined || other === streamId
    const running = [...this.#running.values()].filter((each) => isMeant(each.streamId))
    for (const { stop } of running) stop.abort()
    await Promise.allSettled(running.map(({ finished }) => finished))
    for (const batch of this.#unsealed.values()) {
      if (isMeant(batch.streamId)) await this.#giveUp(batch)
    }
  }

  async #import(wanted: BatchImport, stopped: AbortSignal): Promise<boolean> {
    const batch = this.#unsealed.get(wanted.batchId) ?? (await this.#write(wanted, stopped))
    if (batch === undefined) return false
    await this.#seal(batch, wanted.reason)
    return true
  }

  async #write(
    { target, batchId, chunks }: BatchImport,
    stopped: AbortSignal,
  ): Promise<BatchWriter | undefined> {
    if (await this.#options.isSealed({ streamId: target.streamId, batchId })) return undefined
    let batch: BatchWriter | undefined
    try {
      for await (const chunk of chunks) {
        if (stopped.aborted) throw new AppendError('failed', 'Cannot import: the store gives it up')
        await this.#admit(chunk, batch === undefined ? 1 : 0)
        batch ??= await this.#options.create(target, batchId)
        await this.#commit(batch, chunk)
      }
      return batch
    } catch (error) {
      if (batch !== undefined) await this.#giveUp(batch)
      throw error
    }
  }

  async #admit({ payload }: Chunk, newBatches: number): Promise<void> {
    const { room } = this.#options
    await room.refresh()
    const refusal = room.refusal(payload.byteLength, newBatches)
    if (refusal !== undefined) throw refusal
  }

  async #commit(batch: BatchWriter, { origin: _origin, ...chunk }: Chunk): Promise<void> {
    const { storedBytes, recordCount } = batch
    await batch.commit([chunk])
    this.#options.room.take(batch.storedBytes - storedBytes, recordCount === 0 ? 1 : 0)
  }

  async #seal(batch: BatchWriter, reason: SealReason): Promise<void> {
    const { clock, room, onSealed } = this.#options
    let sealed: SealedBatch
    try {
      sealed = await batch.seal(reason, clock.nowMs())
    } catch (error) {
      this.#unsealed.set(batch.batchId, batch)
      throw appendError(error)
    }
    this.#unsealed.delete(batch.batchId)
    room.take(FOOTER_BYTES, 0)
    onSealed(sealed)
  }

  async #giveUp(batch: BatchWriter): Promise<void> {
    this.#unsealed.delete(batch.batchId)
    if (batch.recordCount > 0) this.#options.room.giveBack(batch.storedBytes, 1)
    await batch.abandon()
  }
}
