/** What every DeliveryQueue must do. */
import { expect, test } from 'vitest'
import { BatchIds } from '../../src/batch.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { Claim, DeliveryQueue, Retry } from '../../src/delivery-queue.ts'
import { ManualClock } from './manual-clock.ts'

export interface QueueSetting {
  readonly clock: ManualClock
  readonly claimsMax: number
  readonly streamClaimsMax: number
}

export interface QueueUnderTest extends AsyncDisposable {
  readonly queue: DeliveryQueue
}

export type OpenQueue = (setting: QueueSetting) => Promise<QueueUnderTest>

export const FAILURE = { errorCode: 'S3.AccessDenied', errorMessage: 'Access denied' }
/** A claim with this signal takes what is due now, and doesn't wait. */
const AT_ONCE = AbortSignal.abort()

export function deliveryQueueContract(name: string, openQueue: OpenQueue): void {
  const clock = new ManualClock()
  const ids = new BatchIds(clock)

  const open = (limits: Partial<QueueSetting> = {}) =>
    openQueue({ clock, claimsMax: 4, streamClaimsMax: 3, ...limits })
  const makeBatch = (streamId: string): SealedBatch => ({
    batchId: ids.next(),
    streamId,
    recordCount: 10,
    dataBytes: 1_000,
    storedBytes: 3_000,
    firstArrivalMs: clock.nowMs(),
    lastArrivalMs: clock.nowMs(),
    sealedAtMs: clock.nowMs(),
    sealReason: 'age',
  })
  const enqueue = async (queue: DeliveryQueue, streamId: string, count: number) => {
    const batches = Array.from({ length: count }, () => makeBatch(streamId))
    for (const batch of batches) await queue.enqueue(batch)
    return batches
  }

  test(`${name}: a batch is claimed once, with its attempt`, async () => {
    await using tested = await open()
    const [batch] = await enqueue(tested.queue, 'stream', 1)
    expect(await tested.queue.claim(AT_ONCE)).toEqual({
      token: expect.any(String),
      batch,
      attempt: 1,
      streamFailureCount: 0,
    })
    expect(await tested.queue.claim(AT_ONCE)).toBe(undefined)
  })

  test(`${name}: a batch that is enqueued twice is delivered once`, async () => {
    await using tested = await open()
    const [batch] = await enqueue(tested.queue, 'stream', 1)
    await tested.queue.enqueue(batch as SealedBatch)
    await tested.queue.complete(await claimOne(tested.queue))
    expect(await tested.queue.claim(AT_ONCE)).toBe(undefined)
  })

  test(`${name}: a claim waits for a batch`, async () => {
    await using tested = await open()
    const claim = tested.queue.claim(new AbortController().signal)
    const [batch] = await enqueue(tested.queue, 'stream', 1)
    expect((await claim)?.batch).toEqual(batch)
  })

  test(`${name}: a claim that waits ends when its signal aborts, and takes nothing along`, async () => {
    await using tested = await open()
    const controller = new AbortController()
    const claim = tested.queue.claim(controller.signal)
    controller.abort()
    expect(await claim).toBe(undefined)
    const [batch] = await enqueue(tested.queue, 'stream', 1)
    expect((await claimOne(tested.queue)).batch).toEqual(batch)
  })

  test(`${name}: the batches of a stream come in their order`, async () => {
    await using tested = await open()
    const batches = await enqueue(tested.queue, 'stream', 5)
    const claimed: SealedBatch[] = []
    for (const _ of batches) {
      const claim = await claimOne(tested.queue)
      claimed.push(claim.batch)
      await tested.queue.complete(claim)
    }
    expect(claimed).toEqual(batches)
  })

  test(`${name}: streams take turns, however much one of them has`, async () => {
    await using tested = await open()
    await enqueue(tested.queue, 'a', 100)
    await enqueue(tested.queue, 'b', 2)
    await enqueue(tested.queue, 'c', 2)
    const order: string[] = []
    for (let count = 0; count < 6; count += 1) {
      const claim = await claimOne(tested.queue)
      order.push(claim.batch.streamId)
      await tested.queue.complete(claim)
    }
    expect(order).toEqual(['a', 'b', 'c', 'a', 'b', 'c'])
  })

  test(`${name}: claims in flight are bounded, for a stream and for all`, async () => {
    await using tested = await open({ claimsMax: 4, streamClaimsMax: 3 })
    await enqueue(tested.queue, 'a', 9)
    expect((await claimAll(tested.queue)).map(streamOf)).toEqual(['a', 'a', 'a'])
    await enqueue(tested.queue, 'b', 9)
    const [claim] = await claimAll(tested.queue)
    expect(claim && streamOf(claim)).toBe('b')
    await tested.queue.complete(claim as Claim)
    expect(await claimAll(tested.queue)).toHaveLength(1)
  })

  test(`${name}: a batch that failed comes again when its time is over`, async () => {
    await using tested = await open()
    const [batch] = await enqueue(tested.queue, 'stream', 1)
    await tested.queue.retry(await claimOne(tested.queue), retryAfter(500))
    expect(await tested.queue.claim(AT_ONCE)).toBe(undefined)
    const next = tested.queue.claim(new AbortController().signal)
    clock.advance(499)
    expect(await tested.queue.claim(AT_ONCE)).toBe(undefined)
    clock.advance(1)
    expect(await next).toMatchObject({ batch, attempt: 2, streamFailureCount: 1 })
  })

  test(`${name}: the batch with the earlier time comes first, in whatever order they failed`, async () => {
    await using tested = await open()
    await enqueue(tested.queue, 'a', 1)
    await enqueue(tested.queue, 'b', 1)
    const [a, b] = await claimAll(tested.queue)
    const next = tested.queue.claim(new AbortController().signal)
    await tested.queue.retry(a as Claim, retryAfter(900))
    await tested.queue.retry(b as Claim, retryAfter(100))
    clock.advance(100)
    expect((await next)?.batch.streamId).toBe('b')
  })

  test(`${name}: a suspect stream has one probe in flight, not before its time`, async () => {
    await using tested = await open()
    await enqueue(tested.queue, 'stream', 5)
    await tested.queue.retry(await claimOne(tested.queue), {
      ...retryAfter(1_000),
      streamAfterMs: 100,
    })
    expect((await tested.queue.status('stream')).state).toBe('suspect')
    expect(await claimAll(tested.queue)).toEqual([])
    clock.advance(100)
    const [probe, ...others] = await claimAll(tested.queue)
    expect(probe).toMatchObject({ attempt: 1, streamFailureCount: 1 })
    expect(others).toEqual([])
    await tested.queue.complete(probe as Claim)
    expect((await tested.queue.status('stream')).state).toBe('running')
    expect(await claimAll(tested.queue)).toHaveLength(3)
  })

  test(`${name}: failures of a stream are counted until a batch succeeds`, async () => {
    await using tested = await open()
    await enqueue(tested.queue, 'stream', 4)
    const [first, second] = await claimAll(tested.queue)
    await tested.queue.retry(first as Claim, retryAfter(0))
    await tested.queue.retry(second as Claim, retryAfter(0))
    // The third of the claims made before the failures is still out: no probe beside it.
    expect(await claimAll(tested.queue)).toEqual([])
    expect(await tested.queue.status('stream')).toMatchObject({
      state: 'suspect',
      waitingCount: 3,
      inFlightCount: 1,
    })
  })

  test(`${name}: suspects together hold at most half of the claims`, async () => {
    await using tested = await open({ claimsMax: 4 })
    const suspects = ['s1', 's2', 's3', 's4']
    for (const streamId of suspects) await enqueue(tested.queue, streamId, 2)
    for (const claim of await claimAll(tested.queue)) {
      await tested.queue.retry(claim, retryAfter(10))
    }
    clock.advance(10)
    expect(await claimAll(tested.queue)).toHaveLength(2)
    await enqueue(tested.queue, 'healthy', 5)
    expect((await claimAll(tested.queue)).map(streamOf)).toEqual(['healthy', 'healthy'])
  })

  test(`${name}: suspects get their turn beside streams that never end`, async () => {
    await using tested = await open({ claimsMax: 2 })
    await enqueue(tested.queue, 'suspect', 1)
    await tested.queue.retry(await claimOne(tested.queue), retryAfter(0))
    await enqueue(tested.queue, 'a', 50)
    await enqueue(tested.queue, 'b', 50)
    expect((await claimAll(tested.queue)).map(streamOf)).toContain('suspect')
  })

  test(`${name}: discarding a stream gives its claims to those who wait`, async () => {
    await using tested = await open({ claimsMax: 1 })
    await enqueue(tested.queue, 'gone', 1)
    await claimOne(tested.queue)
    await enqueue(tested.queue, 'other', 1)
    const waiting = tested.queue.claim(new AbortController().signal)
    await tested.queue.discard('gone')
    expect((await waiting)?.batch.streamId).toBe('other')
  })

  test(`${name}: a braked stream says so until a probe succeeds`, async () => {
    await using tested = await open()
    await enqueue(tested.queue, 'stream', 3)
    await tested.queue.retry(await claimOne(tested.queue), { ...retryAfter(100), brake: true })
    expect(await tested.queue.status('stream')).toMatchObject({
      state: 'braked',
      lastFailure: FAILURE,
    })
    expect(await claimAll(tested.queue)).toEqual([])
    clock.advance(100)
    const [probe, ...others] = await claimAll(tested.queue)
    expect(others).toEqual([])
    await tested.queue.retry(probe as Claim, retryAfter(100))
    expect((await tested.queue.status('stream')).state).toBe('braked')
    clock.advance(100)
    await tested.queue.complete(await claimOne(tested.queue))
    expect((await tested.queue.status('stream')).state).toBe('running')
  })

  test(`${name}: a paused stream gets no claims until it is resumed`, async () => {
    await using tested = await open()
    await enqueue(tested.queue, 'stream', 1)
    await tested.queue.pause('stream')
    expect((await tested.queue.status('stream')).state).toBe('paused')
    const claim = tested.queue.claim(new AbortController().signal)
    await tested.queue.resume('stream')
    expect(await claim).toMatchObject({ attempt: 1 })
  })

  test(`${name}: resuming a braked stream makes its batches due at once`, async () => {
    await using tested = await open()
    await enqueue(tested.queue, 'stream', 1)
    await tested.queue.retry(await claimOne(tested.queue), { ...retryAfter(60_000), brake: true })
    await tested.queue.resume('stream')
    expect(await claimOne(tested.queue)).toMatchObject({ attempt: 2 })
    clock.advance(60_000)
    expect(await tested.queue.claim(AT_ONCE)).toBe(undefined)
  })

  test(`${name}: a parked batch stays, is reported, and comes again with resume`, async () => {
    await using tested = await open()
    const [batch] = await enqueue(tested.queue, 'stream', 1)
    await tested.queue.park(await claimOne(tested.queue), FAILURE)
    clock.advance(1_000_000)
    expect(await tested.queue.claim(AT_ONCE)).toBe(undefined)
    expect(await tested.queue.find(batch?.batchId ?? '')).toEqual({
      batch,
      state: 'parked',
      attempt: 1,
      nextAttemptMs: undefined,
      lastFailure: FAILURE,
    })
    expect(await tested.queue.status('stream')).toMatchObject({ parkedCount: 1, recordCount: 10 })
    await tested.queue.resume('stream')
    expect(await claimOne(tested.queue)).toMatchObject({ batch, attempt: 2 })
  })

  test(`${name}: the status of a stream counts what it has`, async () => {
    await using tested = await open()
    const oldestArrivalMs = clock.nowMs()
    await enqueue(tested.queue, 'stream', 3)
    clock.advance(10)
    await enqueue(tested.queue, 'stream', 1)
    await claimOne(tested.queue)
    expect(await tested.queue.status('stream')).toEqual({
      state: 'running',
      waitingCount: 3,
      inFlightCount: 1,
      parkedCount: 0,
      recordCount: 40,
      dataBytes: 4_000,
      oldestArrivalMs,
      lastFailure: undefined,
    })
  })

  test(`${name}: a stream that the queue doesn't know is at rest`, async () => {
    await using tested = await open()
    expect(await tested.queue.status('unknown')).toEqual({
      state: 'running',
      waitingCount: 0,
      inFlightCount: 0,
      parkedCount: 0,
      recordCount: 0,
      dataBytes: 0,
      oldestArrivalMs: undefined,
      lastFailure: undefined,
    })
    expect(await tested.queue.find(ids.next())).toBe(undefined)
  })

  test(`${name}: a batch can be found until it is delivered`, async () => {
    await using tested = await open()
    const [batch] = await enqueue(tested.queue, 'stream', 1)
    const { batchId } = batch as SealedBatch
    const waiting = await tested.queue.find(batchId)
    const claim = await claimOne(tested.queue)
    const inFlight = await tested.queue.find(batchId)
    await tested.queue.complete(claim)
    expect([waiting, inFlight, await tested.queue.find(batchId)]).toEqual([
      { batch, state: 'waiting', attempt: 0, nextAttemptMs: expect.any(Number) },
      { batch, state: 'in-flight', attempt: 1 },
      undefined,
    ])
    expect(waiting?.nextAttemptMs).toBeLessThanOrEqual(clock.monotonicMs())
  })

  test(`${name}: a batch that is tried again later says when, unless its stream is paused`, async () => {
    await using tested = await open()
    const [batch] = await enqueue(tested.queue, 'stream', 1)
    const { batchId } = batch as SealedBatch
    await tested.queue.retry(await claimOne(tested.queue), retryAfter(5_000))
    const nextAttemptMs = clock.monotonicMs() + 5_000
    expect(await tested.queue.find(batchId)).toMatchObject({ state: 'waiting', nextAttemptMs })
    await tested.queue.pause('stream')
    expect((await tested.queue.find(batchId))?.nextAttemptMs).toBe(undefined)
  })

  test(`${name}: a discarded stream is forgotten, and its claims end as no-ops`, async () => {
    await using tested = await open({ claimsMax: 2 })
    await enqueue(tested.queue, 'gone', 3)
    const claims = await claimAll(tested.queue)
    await tested.queue.discard('gone')
    await tested.queue.retry(claims[0] as Claim, retryAfter(0))
    await tested.queue.complete(claims[1] as Claim)
    expect(await tested.queue.status('gone')).toMatchObject({ recordCount: 0, inFlightCount: 0 })
    await enqueue(tested.queue, 'a', 1)
    await enqueue(tested.queue, 'b', 1)
    expect((await claimAll(tested.queue)).map(streamOf)).toEqual(['a', 'b'])
  })
}

export function retryAfter(afterMs: number): Retry {
  return { ...FAILURE, afterMs, streamAfterMs: afterMs, brake: false }
}

export function streamOf({ batch }: Claim): string {
  return batch.streamId
}

export async function claimOne(queue: DeliveryQueue): Promise<Claim> {
  const claim = await queue.claim(AT_ONCE)
  expect(claim).toBeDefined()
  return claim as Claim
}

/** All that may be claimed now. */
export async function claimAll(queue: DeliveryQueue): Promise<Claim[]> {
  const claims: Claim[] = []
  for (;;) {
    const claim = await queue.claim(AT_ONCE)
    if (claim === undefined) return claims
    claims.push(claim)
  }
}
