import type { RecordsBatch } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { readFetched } from './fetched-records.ts'
import type { FetchedPartition } from './fetched-records.ts'

const TRANSACTIONAL = 1 << 4
const CONTROL = 1 << 5
const READING = { from: 0n, partition: '3', topicId: undefined, wantsMetadata: false }

/** Records of consecutive offsets, each with its offset as value. */
function batch(firstOffset: bigint, count: number, producerId = -1n): RecordsBatch {
  return {
    firstOffset,
    lastOffsetDelta: count - 1,
    attributes: producerId === -1n ? 0 : TRANSACTIONAL,
    producerId,
    firstTimestamp: 1_000n,
    maxTimestamp: 2_000n,
    records: Array.from({ length: count }, (_, offsetDelta) => ({
      length: 0,
      attributes: 0,
      timestampDelta: BigInt(offsetDelta),
      offsetDelta,
      key: null,
      value: Buffer.from(String(firstOffset + BigInt(offsetDelta))),
      headers: [],
    })),
    length: 0,
    partitionLeaderEpoch: 0,
    magic: 2,
    crc: 0,
    producerEpoch: 0,
    firstSequence: 0,
  }
}

function marker(offset: bigint, producerId: bigint, end: 'abort' | 'commit'): RecordsBatch {
  const one = batch(offset, 1, producerId)
  const key = Buffer.from([0, 0, 0, end === 'abort' ? 0 : 1])
  const records = one.records.map((record) => ({ ...record, key }))
  return { ...one, attributes: TRANSACTIONAL | CONTROL, records }
}

function offsets(fetched: FetchedPartition, from = 0n): readonly string[] {
  return readFetched(fetched, { ...READING, from }).records.map(({ position }) => position)
}

test('records from before the offset that was asked for are left out', () => {
  const fetched = { records: [batch(0n, 2), batch(2n, 3)] }
  expect(readFetched(fetched, { ...READING, from: 3n })).toEqual({
    records: [
      { data: Buffer.from('3'), position: '3' },
      { data: Buffer.from('4'), position: '4' },
    ],
    next: 5n,
  })
})

test('where nothing was fetched, the next offset stays', () => {
  expect(readFetched({ records: null }, { ...READING, from: 7n })).toEqual({
    records: [],
    next: 7n,
  })
})

test('of a compacted batch what is left is read, and the next offset is behind all of it', () => {
  const { records, ...rest } = batch(0n, 5)
  const compacted = { ...rest, records: records.filter(({ offsetDelta }) => offsetDelta === 1) }
  const { records: read, next } = readFetched({ records: [compacted] }, READING)
  expect([read.map(({ position }) => position), next]).toEqual([['1'], 5n])
})

test('every aborted transaction of a producer is left out, and none of its others', () => {
  const fetched = {
    records: [
      batch(0n, 2, 9n),
      marker(2n, 9n, 'abort'),
      batch(3n, 1, 9n),
      marker(4n, 9n, 'commit'),
      batch(5n, 1, 9n),
      batch(6n, 1, 8n),
      batch(7n, 1),
      marker(8n, 9n, 'abort'),
      marker(9n, 8n, 'commit'),
    ],
    abortedTransactions: [
      { producerId: 9n, firstOffset: 5n },
      { producerId: 9n, firstOffset: 0n },
    ],
  }
  expect(offsets(fetched)).toEqual(['3', '6', '7'])
  expect(readFetched(fetched, READING).next).toBe(10n)
})

test('an aborted transaction whose end was not fetched is left out too', () => {
  const abortedTransactions = [{ producerId: 9n, firstOffset: 1n }]
  expect(offsets({ records: [batch(0n, 1), batch(1n, 2, 9n)], abortedTransactions })).toEqual(['0'])
})

test('an aborted transaction that began before what was fetched is left out too', () => {
  const abortedTransactions = [{ producerId: 9n, firstOffset: 1n }]
  const records = [batch(4n, 1, 9n), marker(5n, 9n, 'abort'), batch(6n, 1, 9n)]
  expect(offsets({ records, abortedTransactions }, 4n)).toEqual(['6'])
})

test('a position has the topic’s id, where it has one', () => {
  const { records } = readFetched({ records: [batch(0n, 1)] }, { ...READING, topicId: 'id' })
  expect(records[0]?.position).toBe('0@id')
})
