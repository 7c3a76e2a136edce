/** What becomes of claims that are given back, lost or over, in every DeliveryQueue. */
import { expect, test } from 'vitest'
import { BatchIds } from '../../src/batch.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { Claim, DeliveryQueue } from '../../src/delivery-queue.ts'
import { claimAll, claimOne, FAILURE, retryAfter } from './delivery-queue.ts'
import type { OpenQueue } from './delivery-queue.ts'
import { ManualClock } from './manual-clock.ts'

/** All that may be said of a claim. */
const SAID: Readonly<Record<string, (queue: DeliveryQueue, claim: Claim) => Promise<void>>> = {
  complete: (queue, claim) => queue.complete(claim),
  retry: (queue, claim) => queue.retry(claim, { ...retryAfter(0), brake: true }),
  park: (queue, claim) => queue.park(claim, FAILURE),
  release: (queue, claim) => queue.release(claim),
  lend: (queue, claim) => queue.lend(claim),
}

export function claimsContract(name: string, openQueue: OpenQueue): void {
  const clock = new ManualClock()
  const ids = new BatchIds(clock)
  const open = () => openQueue({ clock, claimsMax: 4, streamClaimsMax: 3 })
  const enqueue = async (queue: DeliveryQueue, count: number): Promise<SealedBatch[]> => {
    const batches = Array.from({ length: count }, () => ({
      batchId: ids.next(),
      streamId: 'stream',
      recordCount: 1,
      dataBytes: 1,
      storedBytes: 1,
      firstArrivalMs: 0,
      lastArrivalMs: 0,
      sealedAtMs: 0,
      sealReason: 'age' as const,
    }))
    for (const batch of batches) await queue.enqueue(batch)
    return batches
  }

  test(`${name}: a batch that is released is due again before all others, as if never claimed`, async () => {
    await using tested = await open()
    const batches = await enqueue(tested.queue, 4)
    const [first, second] = await claimAll(tested.queue)
    await tested.queue.release(second as Claim)
    await tested.queue.release(first as Claim)
    expect(await tested.queue.status('stream')).toMatchObject({
      state: 'running',
      waitingCount: 3,
      inFlightCount: 1,
      recordCount: 4,
      lastFailure: undefined,
    })
    const again = await claimAll(tested.queue)
    expect(again).toMatchObject([
      { batch: batches[0], attempt: 1, streamFailureCount: 0 },
      { batch: batches[1], attempt: 1, streamFailureCount: 0 },
    ])
  })

  test(`${name}: a probe that is released leaves its stream as it was`, async () => {
    await using tested = await open()
    const [batch] = await enqueue(tested.queue, 1)
    await tested.queue.retry(await claimOne(tested.queue), { ...retryAfter(10), brake: true })
    clock.advance(10)
    await tested.queue.release(await claimOne(tested.queue))
    expect(await tested.queue.status('stream')).toMatchObject({ state: 'braked', waitingCount: 1 })
    expect(await claimOne(tested.queue)).toMatchObject({
      batch,
      attempt: 2,
      streamFailureCount: 1,
    })
  })

  test(`${name}: a claim that waits gets what is released`, async () => {
    await using tested = await open()
    const [batch] = await enqueue(tested.queue, 1)
    const claim = await claimOne(tested.queue)
    const waiting = tested.queue.claim(new AbortController().signal)
    await tested.queue.release(claim)
    expect((await waiting)?.batch).toEqual(batch)
  })

  test.each(Object.entries(SAID))(
    `${name}: %s says nothing of a claim that has ended, whoever has its batch now`,
    async (_what, say) => {
      await using tested = await open()
      const [batch] = await enqueue(tested.queue, 2)
      const over = await claimOne(tested.queue)
      await tested.queue.release(over)
      await say(tested.queue, over)
      const waiting = await tested.queue.status('stream')
      const now = await claimOne(tested.queue)
      await say(tested.queue, over)
      const inFlight = await tested.queue.status('stream')
      expect([waiting, inFlight]).toMatchObject([
        { state: 'running', waitingCount: 2, inFlightCount: 0, parkedCount: 0 },
        { state: 'running', waitingCount: 1, inFlightCount: 1, parkedCount: 0 },
      ])
      expect(now).toMatchObject({ batch, attempt: 1 })
      await tested.queue.complete(now)
      await say(tested.queue, now)
      expect(await tested.queue.status('stream')).toMatchObject({
        waitingCount: 1,
        inFlightCount: 0,
        recordCount: 1,
      })
      expect(await claimAll(tested.queue)).toHaveLength(1)
    },
  )
}
