import { expect, test } from 'vitest'
import type { SealedBatch } from '../batch.ts'
import type { Claim } from '../delivery-queue.ts'
import { RefusalCounts } from './refusal-counts.ts'

const claimOf = (streamId: string, streamFailureCount = 0): Claim => ({
  token: 't',
  batch: { streamId } as SealedBatch,
  attempt: 1,
  streamFailureCount,
})
const claim = claimOf('A')
const brakes = { errorCode: '400', errorMessage: '', afterMs: 0, streamAfterMs: 0, brake: true }

test('refused batches are counted until one is taken, each stream by itself', () => {
  const counts = new RefusalCounts()
  counts.committed(claim, true)
  counts.committed(claim, true)
  counts.committed(claimOf('B'), true)
  expect([counts.count(claim), counts.count(claimOf('B'))]).toEqual([2, 1])
  counts.committed(claim, false)
  expect([counts.count(claim), counts.count(claimOf('B'))]).toEqual([0, 1])
})

test('a stream that brakes is counted on for its probes, and begins anew when it is resumed', () => {
  const counts = new RefusalCounts()
  counts.committed(claim, true)
  counts.committed(claim, true)
  counts.retried(claim, brakes)
  expect(counts.count(claimOf('A', 1))).toBe(2)
  expect(counts.count(claimOf('A', 0))).toBe(0)
})

test('a batch in flight that is refused while the stream brakes is no resumption', () => {
  const counts = new RefusalCounts()
  counts.committed(claim, true)
  counts.committed(claim, true)
  counts.retried(claim, brakes)
  counts.committed(claim, true)
  expect(counts.count(claimOf('A', 0))).toBe(3)
})

test('a batch that is parked begins anew, too, when the stream is resumed', () => {
  const counts = new RefusalCounts()
  counts.committed(claim, true)
  counts.committed(claim, true)
  counts.parked(claim)
  expect(counts.count(claimOf('A', 1))).toBe(2)
  expect(counts.count(claimOf('A', 0))).toBe(0)
})
