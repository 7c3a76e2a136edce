import { expect, test } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import type { SealedBatch } from '../batch.ts'
import type { BatchStore, OpenBatch } from '../batch-store.ts'
import type { Catalog } from '../catalog.ts'
import type { DeliveryQueue, StreamQueueStatus } from '../delivery-queue.ts'
import { EMPTY_BOOKS } from '../receipt.ts'
import type { Books, Receipt } from '../receipt.ts'
import { LocalLedger } from './ledger.ts'

const batchOf = (batchId: string, recordCount = 1, streamId = 'S1'): SealedBatch =>
  ({ batchId, streamId, recordCount, dataBytes: 10 * recordCount }) as SealedBatch
const receiptOf = ({ batchId, streamId, recordCount }: SealedBatch): Receipt =>
  ({ batchId, streamId, recordCount }) as Receipt

/** What each part of a process holds of one stream; each tells how it is when it is asked. */
class Trial {
  readonly open: OpenBatch[] = []
  readonly queued = new Set<SealedBatch>()
  books: Books = EMPTY_BOOKS
  readonly warnings: string[] = []
  catalogError: Error | undefined
  /** Called whenever the event loop had time for something else. */
  meanwhile: () => void = () => {}
  readonly ledger = new LocalLedger({
    catalog: this.#catalog() as Catalog,
    store: {
      openBatches: () => this.#later([...this.open]),
    } as Partial<BatchStore> as BatchStore,
    queue: {
      status: () => this.#later(this.#queueStatus()),
    } as Partial<DeliveryQueue> as DeliveryQueue,
    logger: { ...silentLogger, warn: (_fields, message) => void this.warnings.push(message) },
  })

  async #later<Value>(value: Value): Promise<Value> {
    await Promise.resolve()
    this.meanwhile()
    return value
  }

  #catalog(): Partial<Catalog> {
    return {
      books: () => this.#later(this.books),
      recordSealed: async ({ recordCount }) => {
        await Promise.resolve()
        if (this.catalogError !== undefined) throw this.catalogError
        this.books = { ...this.books, accepted: this.books.accepted + recordCount }
      },
      recordReceipt: async ({ recordCount }) => {
        if (this.catalogError !== undefined) throw this.catalogError
        this.books = { ...this.books, delivered: this.books.delivered + recordCount }
      },
    }
  }

  #queueStatus(): StreamQueueStatus {
    const sum = (counts: number[]): number => counts.reduce((total, count) => total + count, 0)
    const batches = [...this.queued]
    return {
      recordCount: sum(batches.map(({ recordCount }) => recordCount)),
      dataBytes: sum(batches.map(({ dataBytes }) => dataBytes)),
      oldestArrivalMs: undefined,
    } as StreamQueueStatus
  }
}

test('the books tell of the moment at which they are asked for', async () => {
  const trial = new Trial()
  let step = 0
  // Each step of a batch happens at once; three go by while the books are asked for.
  trial.meanwhile = () => {
    const batch = batchOf(`B${step}`, 7)
    const { books } = trial
    if (step % 5 === 0) {
      trial.open.push({ ...batch, state: 'open' })
    } else if (step % 5 === 1) {
      trial.open.length = 0
      trial.queued.add(batch)
      trial.books = { ...books, accepted: books.accepted + 7 }
    } else if (step % 5 === 2) {
      trial.queued.clear()
      trial.books = { ...books, delivered: books.delivered + 7 }
    }
    step += 1
  }
  for (let count = 0; count < 30; count += 1) {
    const openCount = trial.open.length * 7
    const { accepted, delivered } = trial.books
    const { books } = await trial.ledger.status('S1')
    expect(books).toEqual({
      ...EMPTY_BOOKS,
      accepted: accepted + openCount,
      delivered,
      pending: accepted + openCount - delivered,
    })
  }
  expect(trial.books.delivered).toBeGreaterThan(0)
})

test('what is sealed counts as accepted before the catalog has it, and once', async () => {
  const trial = new Trial()
  const batch = batchOf('B1', 5)
  trial.queued.add(batch)
  const entered = trial.ledger.sealed(batch)
  const before = await trial.ledger.status('S1')
  await entered
  const after = await trial.ledger.status('S1')
  for (const { books } of [before, after]) expect(books).toMatchObject({ accepted: 5, pending: 5 })
})

test('a batch that the catalog did not take counts until its receipt enters it', async () => {
  const trial = new Trial()
  const batch = batchOf('B1', 5)
  trial.catalogError = new Error('disk I/O error')
  await trial.ledger.sealed(batch)
  expect(trial.warnings).toEqual(['A sealed batch is not in the catalog yet.'])
  await expect(trial.ledger.delivered(receiptOf(batch), batch)).rejects.toThrow('disk I/O error')
  expect((await trial.ledger.status('S1')).books).toMatchObject({ accepted: 5, delivered: 0 })
  trial.catalogError = undefined
  await trial.ledger.delivered(receiptOf(batch), batch)
  expect((await trial.ledger.status('S1')).books).toMatchObject({ accepted: 0, delivered: 5 })
})

test('of a stream that is discarded nothing is under way any more', async () => {
  const trial = new Trial()
  trial.catalogError = new Error('disk I/O error')
  await trial.ledger.sealed(batchOf('B1', 5))
  await trial.ledger.sealed(batchOf('B2', 6, 'S2'))
  trial.ledger.discard('S1')
  expect((await trial.ledger.status('S1')).books.accepted).toBe(0)
  expect((await trial.ledger.status('S2')).books.accepted).toBe(6)
})

test('pending bytes and the oldest arrival are those of all that is not delivered', async () => {
  const trial = new Trial()
  trial.queued.add(batchOf('B1', 5))
  trial.open.push(
    { batchId: 'B2', state: 'sealing', recordCount: 1, dataBytes: 3, firstArrivalMs: 100 },
    { batchId: 'B3', state: 'open', recordCount: 2, dataBytes: 4, firstArrivalMs: 200 },
  )
  expect(await trial.ledger.status('S1')).toMatchObject({
    books: { accepted: 3, pending: 8 },
    pendingBytes: 57,
    oldestArrivalMs: 100,
  })
})
