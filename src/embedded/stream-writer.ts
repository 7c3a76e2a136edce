/**
 * One delivery stream's way to disk. All that happens to the stream's open batch happens in one
 * loop, one step after the other, in the order in which it was asked for. While a group is being
 * written and synced the next one gathers: that is the whole of group commit. A group has one chunk of
 * a partition at most, so that whether one is in its turn does not depend on another.
 */
import type { Chunk, SealReason } from '../batch.ts'
import { AppendError } from '../batch-store.ts'
import type { Appended, AppendTarget, OpenBatch } from '../batch-store.ts'
import { PositionMoved } from '../chunk-origin.ts'
import { chunkDataBytes } from '../chunk.ts'
import { appendError } from './batch-writer.ts'
import type { BatchWriter } from './batch-writer.ts'
import type { Room } from './room.ts'
import type { Sealer } from './sealer.ts'
import type { StreamPositions } from './stream-positions.ts'

export interface StreamWriterOptions {
  readonly room: Room
  readonly sealer: Sealer
  /** Of the stream, as it is now: others when it has begun again. */
  readonly positions: () => StreamPositions
  /** @throws AppendError */
  readonly openBatch: (target: AppendTarget) => Promise<BatchWriter>
  /** Nothing is open or waiting any more. */
  readonly onIdle: () => void
}

interface Append {
  readonly kind: 'append'
  readonly target: AppendTarget
  readonly chunk: Chunk
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: unknown) => void
}

interface Task {
  readonly kind: 'task'
  readonly run: () => Promise<void>
}

export class StreamWriter {
  readonly #options: StreamWriterOptions
  readonly #waiting: (Append | Task)[] = []
  #batch: BatchWriter | undefined
  /** The seal of the batch before; done while the next one is being written. */
  #sealing: Promise<void> = Promise.resolve()
  #running = false

  constructor(options: StreamWriterOptions) {
    this.#options = options
  }

  append(target: AppendTarget, chunk: Chunk): Promise<Appended> {
    const { promise, resolve, reject } = Promise.withResolvers<Appended>()
    this.#enter({ kind: 'append', target, chunk, resolve, reject })
    return promise
  }

  /** Resolves when all that was appended before is in a sealed batch, or will be tried again. */
  seal(reason: SealReason): Promise<void> {
    return this.alone(async () => {
      await this.#seal(reason)
      await this.#sealing
    })
  }

  /** Seals the open batch if it is due. */
  async sealDue(monotonicMs: number): Promise<void> {
    if ((this.nextDueMs() ?? Infinity) > monotonicMs) return
    await this.alone(async () => {
      if ((this.nextDueMs() ?? Infinity) <= monotonicMs) await this.#seal('age')
      await this.#sealing
    })
  }

  nextDueMs(): number | undefined {
    return this.#batch?.dueMs
  }

  openBatch(): OpenBatch | undefined {
    if (this.#batch === undefined || this.#batch.recordCount === 0) return undefined
    const { batchId, recordCount, dataBytes, firstArrivalMs } = this.#batch
    return { batchId, state: 'open', recordCount, dataBytes, firstArrivalMs }
  }

  /** Lets go of the open batch as it is, then runs `andThen` before anything else is done. */
  release(andThen: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    return this.alone(async () => {
      const batch = this.#batch
      this.#batch = undefined
      await batch?.close()
      await this.#sealing
      await andThen()
    })
  }

  /** Runs what must not happen at the same time as appends and seals. */
  alone(run: () => Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#enter({ kind: 'task', run: () => run().then(resolve, reject) })
    return promise
  }

  #enter(request: Append | Task): void {
    this.#waiting.push(request)
    if (!this.#running) void this.#run()
  }

  async #run(): Promise<void> {
    this.#running = true
    for (;;) {
      const request = this.#waiting[0]
      if (request?.kind === 'task') {
        this.#waiting.shift()
        await request.run()
      } else if (request !== undefined) {
        await this.#commitFrom(request)
      } else if (this.#batch !== undefined) {
        break
      } else {
        await this.#sealing
        if (this.#waiting.length > 0) continue
        this.#options.onIdle()
        break
      }
    }
    this.#running = false
  }

  /** Commits the append that is next, with all behind it that can go into the same batch. */
  async #commitFrom(next: Append): Promise<void> {
    let batch: BatchWriter
    try {
      await this.#checkTurn(next.chunk)
      batch = await this.#batchFor(next)
    } catch (error) {
      this.#waiting.shift()
      next.reject(error)
      return
    }
    await this.#commit(batch, this.#takeGroup(batch))
  }

  /** @throws PositionMoved, AppendError */
  async #checkTurn({ origin }: Chunk): Promise<void> {
    if (origin === undefined) return
    const positions = this.#options.positions()
    await positions.admit().catch((error: unknown) => {
      throw error instanceof AppendError ? error : appendError(error)
    })
    if (positions.isNext(origin)) return
    const { partition, sequence } = origin
    throw new PositionMoved(`Cannot append chunk ${sequence} of ${partition}: it is not its turn`)
  }

  /**
   * The batch that the append goes into, after sealing and opening what it takes.
   * @throws AppendError when it is refused
   */
  async #batchFor({ target, chunk }: Append): Promise<BatchWriter> {
    const { room, openBatch } = this.#options
    if (this.#batch !== undefined && this.#batch.wrappedDataKey !== target.dataKey?.wrapped) {
      await this.#seal('update')
    }
    if (this.#batch !== undefined && !fits(this.#batch, this.#batch.dataBytes, chunk)) {
      await this.#seal('size')
    }
    await room.refresh()
    const refusal = room.refusal(chunk.payload.byteLength, this.#batch === undefined ? 1 : 0)
    if (refusal !== undefined) throw refusal
    this.#batch ??= await openBatch(target)
    return this.#batch
  }

  #takeGroup(batch: BatchWriter): Append[] {
    const group: Append[] = []
    const partitions = new Set<string>()
    const positions = this.#options.positions()
    let { dataBytes } = batch
    let storedBytes = 0
    for (const request of this.#waiting) {
      if (request.kind !== 'append') break
      const { target, chunk } = request
      if (batch.wrappedDataKey !== target.dataKey?.wrapped || !fits(batch, dataBytes, chunk)) break
      const { origin } = chunk
      if (origin !== undefined) {
        // The first was looked at already.
        if (group.length > 0 && !positions.isNext(origin)) break
        if (partitions.has(origin.partition)) break
        partitions.add(origin.partition)
      }
      storedBytes += chunk.payload.byteLength
      if (group.length > 0 && this.#options.room.refusal(storedBytes, 0) !== undefined) break
      dataBytes += chunkDataBytes(chunk)
      group.push(request)
    }
    this.#waiting.splice(0, group.length)
    return group
  }

  async #commit(batch: BatchWriter, group: readonly Append[]): Promise<void> {
    const { room } = this.#options
    const { storedBytes, recordCount } = batch
    try {
      await batch.commit(group.map(({ chunk }) => chunk))
    } catch (error) {
      if (batch.doubtful) this.#options.positions().doubt(batch)
      if (batch.broken || recordCount === 0) await this.#giveUp(batch)
      for (const { reject } of group) reject(error)
      return
    }
    room.take(batch.storedBytes - storedBytes, recordCount === 0 ? 1 : 0)
    let firstOrdinal = recordCount
    for (const { chunk, resolve } of group) {
      const { origin, arrivalMs } = chunk
      if (origin !== undefined) this.#options.positions().take({ ...origin, atMs: arrivalMs })
      resolve({ batchId: batch.batchId, firstOrdinal })
      firstOrdinal += chunk.recordCount
    }
    if (batch.dataBytes >= batch.sizeBytesMax) await this.#seal('size')
  }

  async #giveUp(batch: BatchWriter): Promise<void> {
    if (batch.recordCount > 0) {
      await this.#seal('fault')
    } else {
      this.#batch = undefined
      await batch.abandon()
    }
  }

  /** Begins to seal the open batch, once the one before is done. */
  async #seal(reason: SealReason): Promise<void> {
    const batch = this.#batch
    if (batch === undefined) return
    await this.#sealing
    this.#batch = undefined
    this.#sealing = this.#options.sealer.seal(batch, reason)
  }
}

/** Whether the chunk may join a batch of `dataBytes` so far; a batch takes one chunk of any size. */
function fits(batch: BatchWriter, dataBytes: number, chunk: Chunk): boolean {
  return dataBytes === 0 || dataBytes + chunkDataBytes(chunk) <= batch.sizeBytesMax
}
