import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Clock } from './base/clock.ts'
import { systemClock } from './base/clock.ts'
import { batchIdBytes, BatchIds, isBatchId } from './batch.ts'
import { chunkData, chunkOf, recordsOf } from './chunk.ts'
import { decodeRecordId, encodeRecordId } from './record.ts'

const clockAt = (nowMs: () => number): Clock => ({ ...systemClock, nowMs })

test('batch ids sort in the order they were made while the wall clock stands or goes back', () => {
  let nowMs = 1_700_000_000_000
  const ids = new BatchIds(clockAt(() => (nowMs -= 1_000)))
  const made = Array.from({ length: 50 }, () => ids.next())
  expect(made.toSorted()).toEqual(made)
  expect(new Set(made).size).toBe(made.length)
  expect(made.every(isBatchId)).toBe(true)
})

test('the bytes of a batch id begin with its time and differ for each id', () => {
  const ids = new BatchIds(clockAt(() => 1_700_000_000_000))
  const first = batchIdBytes(ids.next())
  expect(first.byteLength).toBe(16)
  expect(first.readUIntBE(0, 6)).toBe(1_700_000_000_000)
  expect(first.equals(batchIdBytes(ids.next()))).toBe(false)
})

test('a record id gives back its batch and ordinal, and nothing else is one', () => {
  const batchId = new BatchIds(systemClock).next()
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (ordinal) => {
      expect(decodeRecordId(encodeRecordId(batchId, ordinal))).toEqual({ batchId, ordinal })
    }),
  )
  for (const other of ['', batchId, `${batchId}0000000z`, `${batchId}000000000`, 'x'.repeat(34)]) {
    expect(decodeRecordId(other)).toBeUndefined()
  }
})

test('a chunk gives back its records, one by one and as one run', () => {
  const records = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 })
  fc.assert(
    fc.property(records, (given) => {
      const chunk = chunkOf(given, 5)
      expect([...recordsOf(chunk)].map((record) => [...record])).toEqual(given.map((r) => [...r]))
      expect(chunkData(chunk).equals(Buffer.concat(given))).toBe(true)
    }),
  )
})
