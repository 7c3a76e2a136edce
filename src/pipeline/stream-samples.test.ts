import { expect, test } from 'vitest'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { BackendUnavailable } from '../backend.ts'
import type { DeliveryStream, DeliveryStreamType } from '../delivery-stream.ts'
import type { PartitionReport, SourceReport } from '../source-reports.ts'
import type { Ledger, StreamStatus } from './ledger.ts'
import type { StreamRegistry } from './stream-registry.ts'
import { streamSamples } from './stream-samples.ts'

const STATUS = {
  books: { accepted: 3, made: 0, delivered: 1, dropped: 0, errored: 0, quarantined: 0, pending: 2 },
  queue: { state: 'running', parkedCount: 0 },
  pendingBytes: 20,
  oldestArrivalMs: undefined,
} as unknown as StreamStatus

async function samplesOf(
  type: DeliveryStreamType,
  partitions: readonly PartitionReport[] | undefined,
  status: () => Promise<StreamStatus> = () => Promise.resolve(STATUS),
) {
  const stream = { streamId: 'logs-id', name: 'logs', type, destinationType: 'S3' }
  const report =
    partitions === undefined ? undefined : ({ state: 'paused', partitions } as SourceReport)
  return await streamSamples({
    registry: { list: () => [stream as DeliveryStream] } as unknown as StreamRegistry,
    ledger: { status } as unknown as Ledger,
    destinations: new Map(),
    sourceReports: { report: () => report },
    clock: new ManualClock(),
  })
}

function behind(partition: string, behindLatestMs: number, lagCount: number): PartitionReport {
  return { partition, position: '1', behindLatestMs, lagCount }
}

const TWO = [behind('a', 5, 70), behind('b', 9, 60)]

test.each([
  ['KinesisStreamAsSource', { metric: 'KinesisMillisBehindLatest', value: 9 }],
  ['MSKAsSource', { metric: 'KafkaOffsetLag', value: 70 }],
  ['RedisStreamAsSource', undefined],
] as const)('of %s the partition that is furthest behind is told', async (type, expected) => {
  const [sample] = (await samplesOf(type, TWO)) ?? []
  expect(sample?.source).toEqual({
    state: 'paused',
    ...(expected === undefined ? {} : { behind: expected }),
    partitions: [
      { partition: 'a', behindLatestMs: 5, lagCount: 70 },
      { partition: 'b', behindLatestMs: 9, lagCount: 60 },
    ],
  })
})

test('nothing is told of how far behind a source is that has told nothing', async () => {
  const silent = [{ partition: 'a', position: undefined }]
  const [sample] = (await samplesOf('KinesisStreamAsSource', silent)) ?? []
  expect(sample?.source).toEqual({ state: 'paused', partitions: [{ partition: 'a' }] })
  const [elsewhere] = (await samplesOf('KinesisStreamAsSource', undefined)) ?? []
  expect(elsewhere).toMatchObject({ streamName: 'logs', backlogBytes: 20 })
  expect(elsewhere).not.toHaveProperty('source')
})

test('while the backend is away there are no samples', async () => {
  const away = () => Promise.reject(new BackendUnavailable('Redis is away'))
  expect(await samplesOf('DirectPut', undefined, away)).toBe(undefined)
})
