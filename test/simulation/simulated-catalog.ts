/**
 * The Catalog contract in memory, with the durability of a database: writes made together are one
 * transaction, durable when it resolves. What goes wrong, and why the engine is expected to survive:
 *
 * - The process dies before a transaction is durable: nothing of it was answered for, and it is made
 *   again at start-up from the batches that are still there.
 * - It dies after that and before the answer: entering a batch or a receipt again changes nothing.
 * - A transaction fails (disk full, EIO) and none of it was made: the act is repeated.
 */
import { strict as assert } from 'node:assert'
import type { BatchId, SealedBatch } from '../../src/batch.ts'
import type { Catalog, KnownReplayedPart, ReplayedPart } from '../../src/catalog.ts'
import { CatalogConflict } from '../../src/catalog.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { Accounting } from '../../src/manifest.ts'
import type { Books, Receipt } from '../../src/receipt.ts'
import { EMPTY_BOOKS } from '../../src/receipt.ts'
import type { Chance } from './chance.ts'
import type { Owner, Scheduler } from './scheduler.ts'

/** What is durable. It outlives the processes that open it. */
export class SimulatedDatabase {
  /** Probability that a transaction fails. */
  failing = 0
  readonly streams = new Map<string, DeliveryStream>()
  /** Batches that are in the books as accepted. */
  readonly entered = new Set<BatchId>()
  readonly receipts = new Map<BatchId, Receipt>()
  readonly books = new Map<string, Books>()
  readonly replays = new Map<BatchId, ReplayedPart>()
  readonly scheduler: Scheduler
  readonly chance: Chance

  constructor(scheduler: Scheduler, chance: Chance) {
    this.scheduler = scheduler
    this.chance = chance
  }

  /** The catalog as one process has it: when that is dead, its transactions are not made. */
  open(owner: Owner): Catalog {
    return new SimulatedCatalog(this, owner)
  }
}

interface Write {
  /** Makes the change or throws, having changed nothing. */
  readonly apply: () => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

class SimulatedCatalog implements Catalog {
  readonly #database: SimulatedDatabase
  readonly #owner: Owner
  /** The transaction that is being gathered; undefined while none is. */
  #gathering: Write[] | undefined

  constructor(database: SimulatedDatabase, owner: Owner) {
    this.#database = database
    this.#owner = owner
  }

  streams(): Promise<readonly DeliveryStream[]> {
    return this.#read(() =>
      [...this.#database.streams.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    )
  }

  /** Nobody else has the database open. */
  watchStreams(): void {}

  createStream(stream: DeliveryStream): Promise<void> {
    return this.#write(() => {
      const { streams } = this.#database
      const others = [...streams.values()]
      if (others.some(({ name, streamId }) => name === stream.name || streamId === stream.streamId))
        throw new CatalogConflict(`Cannot create stream ${stream.name}: it exists`)
      streams.set(stream.streamId, stream)
    })
  }

  async replaceStream(stream: DeliveryStream): Promise<DeliveryStream> {
    const stored = { ...stream, revision: stream.revision + 1 }
    await this.#write(() => {
      const { streams } = this.#database
      if (streams.get(stream.streamId)?.revision !== stream.revision)
        throw new CatalogConflict(`Cannot change stream ${stream.name}: it was changed or removed`)
      streams.set(stream.streamId, stored)
    })
    return stored
  }

  deleteStream(streamId: string): Promise<void> {
    return this.#write(() => {
      const { streams, books, receipts, replays } = this.#database
      streams.delete(streamId)
      books.delete(streamId)
      for (const part of replays.values())
        if (part.streamId === streamId) replays.delete(part.batchId)
      for (const receipt of receipts.values())
        if (receipt.streamId === streamId) receipts.delete(receipt.batchId)
    })
  }

  recordSealed({ batchId, streamId, recordCount }: SealedBatch): Promise<void> {
    return this.#write(() => this.#enterSealed(batchId, streamId, recordCount))
  }

  recordReceipt(receipt: Receipt): Promise<void> {
    const { batchId, streamId } = receipt
    return this.#write(() => {
      const { receipts } = this.#database
      if (receipts.has(batchId)) return
      this.#enterSealed(batchId, streamId, receipt.recordCount)
      receipts.set(batchId, receipt)
      this.#addToBooks(streamId, {
        accepted: 0,
        made: receipt.madeCount ?? 0,
        delivered: countOf(receipt, 'delivered'),
        errored: countOf(receipt, 'errored'),
        dropped: receipt.droppedCount,
        quarantined: receipt.quarantinedCount,
      })
    })
  }

  receipt(batchId: BatchId): Promise<Receipt | undefined> {
    return this.#read(() => this.#database.receipts.get(batchId))
  }

  latestReceipts(streamId: string, limit: number): Promise<readonly Receipt[]> {
    return this.#read(() =>
      [...this.#database.receipts.values()]
        .filter((receipt) => receipt.streamId === streamId)
        .toSorted((a, b) => b.deliveredAtMs - a.deliveredAtMs)
        .slice(0, limit),
    )
  }

  books(streamId: string): Promise<Books> {
    return this.#read(() => this.#database.books.get(streamId) ?? EMPTY_BOOKS)
  }

  pruneReceipts(deliveredBeforeMs: number): Promise<void> {
    return this.#write(() => {
      const { receipts } = this.#database
      for (const receipt of receipts.values())
        if (receipt.deliveredAtMs < deliveredBeforeMs) receipts.delete(receipt.batchId)
    })
  }

  recordReplay(part: ReplayedPart, knownCount: number): Promise<void> {
    const { streamId, source } = part
    return this.#write(() => {
      if (this.#partsOf(streamId, source).length !== knownCount)
        throw new CatalogConflict(`Cannot replay ${source}: somebody else is replaying it`)
      this.#database.replays.set(part.batchId, part)
    })
  }

  replayedPart(batchId: BatchId): Promise<KnownReplayedPart | undefined> {
    return this.#read(() => this.#knownParts().find((part) => part.batchId === batchId))
  }

  replayedParts(streamId: string, source: string): Promise<readonly KnownReplayedPart[]> {
    return this.#read(() => this.#partsOf(streamId, source))
  }

  close(): Promise<void> {
    return this.#write(() => {})
  }

  #partsOf(streamId: string, source: string): KnownReplayedPart[] {
    return this.#knownParts().filter((part) => part.streamId === streamId && part.source === source)
  }

  #knownParts(): KnownReplayedPart[] {
    const { replays, entered } = this.#database
    return [...replays.values()].map((part) => ({ ...part, imported: entered.has(part.batchId) }))
  }

  #enterSealed(batchId: BatchId, streamId: string, recordCount: number): void {
    if (this.#database.entered.has(batchId)) return
    this.#database.entered.add(batchId)
    this.#addToBooks(streamId, { ...EMPTY_BOOKS, accepted: recordCount })
  }

  #addToBooks(streamId: string, change: Books): void {
    const books = this.#database.books.get(streamId) ?? EMPTY_BOOKS
    this.#database.books.set(streamId, {
      accepted: books.accepted + change.accepted,
      made: books.made + change.made,
      delivered: books.delivered + change.delivered,
      dropped: books.dropped + change.dropped,
      errored: books.errored + change.errored,
      quarantined: books.quarantined + change.quarantined,
    })
  }

  #read<Value>(read: () => Value): Promise<Value> {
    return new Promise((resolve) => {
      this.#database.scheduler.after(0.05, this.#owner, 'catalog read', () => resolve(read()))
    })
  }

  /** Writes made before the transaction begins are part of it. */
  #write(apply: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const write = { apply, resolve, reject }
      if (this.#gathering !== undefined) {
        this.#gathering.push(write)
        return
      }
      this.#gathering = [write]
      const { scheduler, chance } = this.#database
      scheduler.after(chance.between(0, 3), this.#owner, 'catalog commit', () => this.#commit())
    })
  }

  #commit(): void {
    const { scheduler, chance, failing } = this.#database
    const writes = this.#gathering
    assert(writes !== undefined)
    this.#gathering = undefined
    const failed = chance.happens(failing)
    const answers = writes.map(({ apply, resolve, reject }) => {
      if (failed) return () => reject(new Error('disk I/O error: simulated'))
      try {
        apply()
        return resolve
      } catch (error) {
        return () => reject(error)
      }
    })
    scheduler.after(chance.between(0, 3), this.#owner, 'catalog committed', () => {
      for (const answer of answers) answer()
    })
  }
}

function countOf(receipt: Receipt, accounting: Accounting): number {
  return receipt.outputs
    .filter((output) => output.accounting === accounting)
    .reduce((sum, output) => sum + output.recordCount, 0)
}
