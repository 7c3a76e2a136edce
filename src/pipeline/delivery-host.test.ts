import { expect, test } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { noMetrics } from '../base/metrics.ts'
import { ClaimLost } from '../batch.ts'
import type { SealedBatch } from '../batch.ts'
import type { BatchStore } from '../batch-store.ts'
import type { Claim, DeliveryQueue } from '../delivery-queue.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { Receipt } from '../receipt.ts'
import { LocalDeliveryHost } from './delivery-host.ts'
import type { Ledger } from './ledger.ts'
import type { StreamRegistry } from './stream-registry.ts'

const NEVER = new AbortController().signal
const STREAM = { streamId: 'S1', name: 'logs', status: 'ACTIVE' } as DeliveryStream
const BATCH = { batchId: 'B1', streamId: 'S1' } as SealedBatch
const CLAIM: Claim = { token: 'token 1', batch: BATCH, attempt: 1, streamFailureCount: 0 }
const RECEIPT = { batchId: 'B1', streamId: 'S1', outputs: [] } as unknown as Receipt

/** A host with one batch to claim, and what it did to queue, store and ledger, in order. */
class Trial {
  readonly done: unknown[] = []
  readonly warnings: string[] = []
  /** Known to this process. */
  readonly streams = new Map([[STREAM.streamId, STREAM]])
  /** What others have made. */
  readonly news = new Map<string, DeliveryStream>()
  refreshError: Error | undefined
  receiptError: Error | undefined
  readonly #claims: Claim[] = [CLAIM]
  readonly host = new LocalDeliveryHost({
    queue: this.#queue() as DeliveryQueue,
    store: {
      remove: async (batch) => this.#note('remove', batch),
    } as Partial<BatchStore> as BatchStore,
    ledger: {
      delivered: async (receipt: Receipt, batch: SealedBatch) => {
        if (this.receiptError !== undefined) throw this.receiptError
        this.#note('receipt', receipt.batchId, batch)
      },
    } as Partial<Ledger> as Ledger,
    registry: this.#registry() as StreamRegistry,
    destinations: new Map(),
    logger: { ...silentLogger, warn: (_fields, message) => void this.warnings.push(message) },
    metrics: noMetrics,
  })

  async claim(): Promise<Claim> {
    const claimed = await this.host.claim(NEVER)
    return claimed?.claim ?? expect.unreachable('a batch is there to be claimed')
  }

  /** The batch may be claimed once more. */
  requeue(): void {
    this.#claims.push(CLAIM)
  }

  #note(...deed: readonly unknown[]): void {
    this.done.push(deed)
  }

  #queue(): Partial<DeliveryQueue> {
    return {
      claim: async () => this.#claims.shift(),
      complete: async ({ token }) => this.#note('complete', token),
      release: async ({ token }) => this.#note('release', token),
    }
  }

  #registry(): Pick<StreamRegistry, 'byId' | 'refresh'> {
    return {
      byId: (streamId) => this.streams.get(streamId),
      refresh: async () => {
        if (this.refreshError !== undefined) throw this.refreshError
        for (const [streamId, stream] of this.news) this.streams.set(streamId, stream)
      },
    }
  }
}

test('a batch says by which claim it is held', async () => {
  const trial = new Trial()
  expect(await trial.host.claim(NEVER)).toEqual({
    claim: { ...CLAIM, batch: { ...BATCH, heldBy: 'token 1' } },
    stream: STREAM,
    refusedInARow: 0,
  })
})

test('a commit is the receipt under that claim, then the end of the claim, then the removal', async () => {
  const trial = new Trial()
  await trial.host.commit(await trial.claim(), RECEIPT, false)
  const held = { ...BATCH, heldBy: 'token 1' }
  expect(trial.done).toEqual([
    ['receipt', 'B1', held],
    ['complete', 'token 1'],
    ['remove', held],
  ])
})

test('a commit under a claim that is lost ends and removes nothing', async () => {
  const trial = new Trial()
  const claim = await trial.claim()
  trial.receiptError = new ClaimLost('Cannot enter the receipt: another holds the batch')
  await trial.host.commit(claim, RECEIPT, false)
  expect(trial.done).toEqual([])
  expect(trial.warnings).toEqual(['A batch was not committed.'])
})

test('a receipt that can not be entered now keeps the batch, and the attempt fails', async () => {
  const trial = new Trial()
  const claim = await trial.claim()
  trial.receiptError = new Error('disk I/O error')
  await expect(trial.host.commit(claim, RECEIPT, false)).rejects.toThrow('disk I/O error')
  expect(trial.done).toEqual([])
})

test('a lost claim does not count as a batch that was mostly refused', async () => {
  const trial = new Trial()
  const claim = await trial.claim()
  trial.receiptError = new ClaimLost('Cannot enter the receipt: another holds the batch')
  await trial.host.commit(claim, RECEIPT, true)
  trial.receiptError = undefined
  trial.requeue()
  expect(await trial.host.claim(NEVER)).toMatchObject({ refusedInARow: 0 })
})

test('a batch that is released goes back to the queue, and nothing is said of a failure', async () => {
  const trial = new Trial()
  await trial.host.release(await trial.claim())
  expect([trial.done, trial.warnings]).toEqual([[['release', 'token 1']], []])
})

test('a batch of a stream that another process has just made is claimed', async () => {
  const trial = new Trial()
  trial.streams.clear()
  trial.news.set(STREAM.streamId, STREAM)
  expect(await trial.host.claim(NEVER)).toMatchObject({
    claim: { token: 'token 1' },
    stream: STREAM,
  })
  expect(trial.done).toEqual([])
})

test('a batch of a stream that is gone is dropped, and the next one claimed', async () => {
  const trial = new Trial()
  trial.streams.clear()
  expect(await trial.host.claim(NEVER)).toBe(undefined)
  expect(trial.done).toEqual([['complete', 'token 1']])
})

test('a batch whose stream can not be looked up now goes back to the queue', async () => {
  const trial = new Trial()
  trial.streams.clear()
  trial.refreshError = new Error('connection lost')
  await expect(trial.host.claim(NEVER)).rejects.toThrow('connection lost')
  expect(trial.done).toEqual([['release', 'token 1']])
})
