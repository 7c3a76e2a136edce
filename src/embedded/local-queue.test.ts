import { expect, test } from 'vitest'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { BatchIds } from '../batch.ts'
import { LocalQueue } from './local-queue.ts'
import { TimeHeap } from './time-heap.ts'

const FAILURE = { errorCode: 'S3.SlowDown', errorMessage: 'Slow down', brake: false }

function open() {
  const clock = new ManualClock()
  const ids = new BatchIds(clock)
  const queue = new LocalQueue({ clock, claimsMax: 4 })
  const enqueue = (streamId: string) =>
    queue.enqueue({
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
  return { clock, queue, enqueue }
}

test('the queue holds one timer at most, and none while nobody waits', async () => {
  const { clock, queue, enqueue } = open()
  for (const streamId of ['a', 'b', 'c']) {
    await enqueue(streamId)
    const claim = await queue.claim(AbortSignal.abort())
    if (claim) await queue.retry(claim, { ...FAILURE, afterMs: 1_000, streamAfterMs: 500 })
  }
  expect(clock.sleeperCount).toBe(0)
  const controller = new AbortController()
  const claims = [queue.claim(controller.signal), queue.claim(controller.signal)]
  expect(clock.sleeperCount).toBe(1)
  controller.abort()
  expect(await Promise.all(claims)).toEqual([undefined, undefined])
  expect(clock.sleeperCount).toBe(0)
})

test('a closed queue lets those go who wait', async () => {
  const { queue } = open()
  const claim = queue.claim(new AbortController().signal)
  await queue.close()
  expect(await claim).toBe(undefined)
})

test('a hundred thousand batches are claimed, each once', async () => {
  const { queue, enqueue } = open()
  for (let count = 0; count < 100_000; count += 1) await enqueue(`stream ${count % 100}`)
  const claimed = new Set<string>()
  for (;;) {
    const claim = await queue.claim(AbortSignal.abort())
    if (claim === undefined) break
    claimed.add(claim.batch.batchId)
    await queue.complete(claim)
  }
  expect(claimed.size).toBe(100_000)
})

test('a heap gives back in the order of time, and nothing before its time', () => {
  const heap = new TimeHeap<number>()
  const times = Array.from({ length: 500 }, (_, index) => (index * 7919) % 501)
  for (const atMs of times) heap.add(atMs, atMs)
  const taken: number[] = []
  for (let due = heap.takeDue(400); due !== undefined; due = heap.takeDue(400)) taken.push(due.item)
  expect(taken).toEqual(times.filter((atMs) => atMs <= 400).toSorted((a, b) => a - b))
  expect(heap.nextMs()).toBe(401)
})
