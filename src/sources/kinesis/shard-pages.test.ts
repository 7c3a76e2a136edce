import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/contracts/manual-clock.ts'
import { kinesisDelivery } from '../../../test/fakes/kinesis-reading.ts'
import { FakeSourceHost } from '../../../test/fakes/source-host.ts'
import type { KinesisService, Shard, ShardPage } from './kinesis-service.ts'
import { ReadingGate } from './reading-gate.ts'
import { newPageSize, SERVICE_PACE, shardPages } from './shard-pages.ts'

const OPEN: Shard = {
  shardId: 's0',
  parents: [],
  hashKeys: { first: 0n, last: 0n },
  isClosed: false,
}
const MIB = 1024 * 1024

function page(behindLatestMs: number, recordCount: number, recordBytes: number): ShardPage {
  const data = Buffer.alloc(recordBytes)
  const record = { data, sequenceNumber: '1', partitionKey: '', arrivedAtMs: 0 }
  return { records: Array.from({ length: recordCount }, () => record), behindLatestMs, next: 'i' }
}

/** How long polling waits between a call that brought this page and the next call. */
async function pauseAfter(brought: ShardPage, shard = OPEN): Promise<number> {
  const clock = new ManualClock()
  const calledAtMs: number[] = []
  const service = {
    iterator: () => Promise.resolve('i'),
    records: () => {
      calledAtMs.push(clock.monotonicMs())
      return Promise.resolve(brought)
    },
  } as Partial<KinesisService> as KinesisService
  const host = new FakeSourceHost(kinesisDelivery('arn'))
  const gate = new ReadingGate(host)
  const tools = { service, host, gate, clock, pace: SERVICE_PACE, consumerArn: undefined }
  const signal = new AbortController().signal
  const pages = shardPages(shard, { type: 'TRIM_HORIZON' }, newPageSize(), tools, signal)
  await pages.next()
  const second = pages.next()
  while (calledAtMs.length < 2) {
    if (clock.sleeperCount > 0) clock.advance(100)
    await Promise.resolve()
  }
  await second
  await pages.return(undefined)
  return calledAtMs[1]! - calledAtMs[0]!
}

test('a shard that has nothing more is asked once a second, as by Firehose', async () => {
  expect(await pauseAfter(page(0, 0, 0))).toBe(1_000)
})

test('who is behind asks five times a second', async () => {
  expect(await pauseAfter(page(5_000, 10, 100))).toBe(200)
})

test('after a large page it is waited until it counts as 2 MB/s', async () => {
  expect(await pauseAfter(page(5_000, 10, MIB))).toBe(5_000)
})

test('the end of a closed shard is sought without delay', async () => {
  expect(await pauseAfter(page(0, 0, 0), { ...OPEN, isClosed: true })).toBe(200)
})

test('a full page means that there is more, whatever the server says', async () => {
  expect(await pauseAfter(page(0, 1, 1))).toBe(200)
})

test('fewer are asked for where they are large', async () => {
  const limits: number[] = []
  const clock = new ManualClock()
  const service = {
    iterator: () => Promise.resolve('i'),
    records: (_iterator: string, limit: number) => {
      limits.push(limit)
      return Promise.resolve(page(5_000, limits.length, limits.length < 4 ? 100 : MIB / 2))
    },
  } as Partial<KinesisService> as KinesisService
  const host = new FakeSourceHost(kinesisDelivery('arn'))
  const gate = new ReadingGate(host)
  const tools = { service, host, gate, clock, pace: SERVICE_PACE, consumerArn: undefined }
  const signal = new AbortController().signal
  const pages = shardPages(OPEN, { type: 'TRIM_HORIZON' }, newPageSize(), tools, signal)
  const six = Promise.all(Array.from({ length: 6 }, () => pages.next()))
  while (limits.length < 6) {
    if (clock.sleeperCount > 0) clock.advance(100)
    await Promise.resolve()
  }
  await six
  await pages.return(undefined)
  expect(limits).toEqual([1, 4, 16, 64, 2, 2])
})
