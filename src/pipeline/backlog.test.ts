import { expect, test } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import type { SealedBatch } from '../batch.ts'
import { enqueueRecovered } from './backlog.ts'
import type { BacklogOptions } from './backlog.ts'

const BATCH = { batchId: 'B', streamId: 'S', recordCount: 1 } as SealedBatch

/** What becomes of a batch that is recovered late. */
async function actsOn(receipt: () => Promise<object | undefined>, streamId = 'S') {
  const acts: string[] = []
  const act = (name: string) => async (): Promise<void> => void acts.push(name)
  await enqueueRecovered(BATCH, {
    store: { remove: act('removed') },
    queue: { enqueue: act('enqueued') },
    ledger: { sealed: act('entered') },
    catalog: { receipt },
    registry: { byId: (id: string) => (id === streamId ? {} : undefined) },
    logger: silentLogger,
  } as unknown as BacklogOptions)
  return acts
}

test('a batch that is recovered late is delivered', async () => {
  expect(await actsOn(async () => undefined)).toEqual(['entered', 'enqueued'])
})

test('one that has a receipt was delivered before, and is removed', async () => {
  expect(await actsOn(async () => ({}))).toEqual(['removed'])
})

test('one of no known stream, or that nobody can tell about, is left where it is', async () => {
  expect(await actsOn(async () => undefined, 'another')).toEqual([])
  expect(await actsOn(() => Promise.reject(new Error('disk I/O error')))).toEqual([])
})
