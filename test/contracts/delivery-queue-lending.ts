/** What lending a claim does in every DeliveryQueue. */
import { expect, test } from 'vitest'
import { BatchIds } from '../../src/batch.ts'
import type { Claim, DeliveryQueue } from '../../src/delivery-queue.ts'
import { claimAll, claimOne, FAILURE, retryAfter, streamOf } from './delivery-queue.ts'
import type { OpenQueue, QueueSetting } from './delivery-queue.ts'
import { ManualClock } from './manual-clock.ts'

export function lendingContract(name: string, openQueue: OpenQueue): void {
  const clock = new ManualClock()
  const ids = new BatchIds(clock)
  const open = (limits: Partial<QueueSetting> = {}) =>
    openQueue({ clock, claimsMax: 4, streamClaimsMax: 3, ...limits })
  const enqueue = async (queue: DeliveryQueue, streamId: string, count: number) => {
    for (let made = 0; made < count; made += 1) {
      await queue.enqueue({
        batchId: ids.next(),
        streamId,
        recordCount: 1,
        dataBytes: 1,
        storedBytes: 1,
        firstArrivalMs: 0,
        lastArrivalMs: 0,
        sealedAtMs: 0,
        sealReason: 'age',
      })
    }
  }

  test(`${name}: a stream whose claim is lent has four in flight, until that ends`, async () => {
    await using tested = await open({ claimsMax: 12, streamClaimsMax: 6 })
    await enqueue(tested.queue, 'slow', 9)
    const claim = await claimOne(tested.queue)
    await tested.queue.lend(claim)
    expect(await claimAll(tested.queue)).toHaveLength(3)
    expect(await tested.queue.status('slow')).toMatchObject({ state: 'running', inFlightCount: 4 })
    await tested.queue.complete(claim)
    expect(await claimAll(tested.queue)).toHaveLength(3)
  })

  test(`${name}: lent claims leave others all of the claims, and suspects their share`, async () => {
    await using tested = await open({ claimsMax: 4, streamClaimsMax: 4 })
    for (const streamId of ['slow 1', 'slow 2', 'slow 3']) {
      await enqueue(tested.queue, streamId, 1)
      const claim = await claimOne(tested.queue)
      await tested.queue.lend(claim)
      await tested.queue.lend(claim)
    }
    for (const streamId of ['suspect 1', 'suspect 2', 'suspect 3']) {
      await enqueue(tested.queue, streamId, 1)
      await tested.queue.retry(await claimOne(tested.queue), retryAfter(10))
    }
    clock.advance(10)
    expect(await claimAll(tested.queue)).toHaveLength(2)
    await enqueue(tested.queue, 'healthy', 5)
    expect((await claimAll(tested.queue)).map(streamOf)).toEqual(['healthy', 'healthy'])
  })

  test(`${name}: a claim that is lent lets somebody in who waits`, async () => {
    await using tested = await open({ claimsMax: 1 })
    await enqueue(tested.queue, 'slow', 1)
    const claim = await claimOne(tested.queue)
    await enqueue(tested.queue, 'healthy', 1)
    const waiting = tested.queue.claim(new AbortController().signal)
    await tested.queue.lend(claim)
    expect((await waiting)?.batch.streamId).toBe('healthy')
  })

  test(`${name}: other claims of a stream that has lent one count as a suspect's`, async () => {
    await using tested = await open({ claimsMax: 4, streamClaimsMax: 3 })
    await enqueue(tested.queue, 'slow', 5)
    const [first, second, third] = await claimAll(tested.queue)
    await tested.queue.lend(first as Claim)
    await enqueue(tested.queue, 'suspect', 1)
    await tested.queue.retry(await claimOne(tested.queue), retryAfter(0))
    expect(await claimAll(tested.queue)).toEqual([])
    await tested.queue.complete(second as Claim)
    expect(await claimAll(tested.queue)).toHaveLength(1)
    await tested.queue.complete(third as Claim)
    expect(await claimAll(tested.queue)).toHaveLength(1)
  })

  test(`${name}: a lent claim that fails leaves a suspect, whose next claim is an ordinary one`, async () => {
    await using tested = await open({ claimsMax: 1 })
    await enqueue(tested.queue, 'slow', 2)
    const claim = await claimOne(tested.queue)
    await tested.queue.lend(claim)
    await tested.queue.retry(claim, retryAfter(100))
    await tested.queue.lend(claim)
    expect(await tested.queue.status('slow')).toMatchObject({ state: 'suspect', inFlightCount: 0 })
    clock.advance(100)
    const next = await claimOne(tested.queue)
    expect(next.streamFailureCount).toBe(1)
    await enqueue(tested.queue, 'healthy', 1)
    expect(await claimAll(tested.queue)).toEqual([])
    await tested.queue.complete(next)
    expect((await tested.queue.status('slow')).state).toBe('running')
  })

  test(`${name}: a lent claim that is parked, or whose stream is discarded, is lent no more`, async () => {
    await using tested = await open({ claimsMax: 2, streamClaimsMax: 2 })
    await enqueue(tested.queue, 'parked', 1)
    await enqueue(tested.queue, 'gone', 1)
    const claims = await claimAll(tested.queue)
    for (const claim of claims) await tested.queue.lend(claim)
    await tested.queue.park(claims[0] as Claim, FAILURE)
    await tested.queue.discard('gone')
    await tested.queue.complete(claims[1] as Claim)
    await tested.queue.lend(claims[1] as Claim)
    await enqueue(tested.queue, 'a', 9)
    await enqueue(tested.queue, 'b', 9)
    expect((await claimAll(tested.queue)).map(streamOf)).toEqual(['a', 'b'])
    expect(await tested.queue.status('parked')).toMatchObject({ inFlightCount: 0, parkedCount: 1 })
  })
}
