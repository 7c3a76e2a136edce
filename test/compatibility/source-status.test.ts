import { expect, test } from 'vitest'
import { getStream } from '../../src/api/rest/stream-status.ts'
import type { JsonObject } from '../../src/base/json.ts'
import type { ChunkOrigin } from '../../src/chunk-origin.ts'
import { chunkOf } from '../../src/chunk.ts'
import type { SourceReport } from '../../src/source-reports.ts'
import { sourceStream } from '../fakes/scripted-sources.ts'
import { ApiUnderTest, NOW_MS } from './api-under-test.ts'

const REPORT: SourceReport = {
  state: 'reading',
  partitions: [
    {
      partition: 'shard-1',
      position: '490',
      behindLatestMs: 1_200,
      lagCount: 7,
      failure: { errorCode: 'Kinesis.AccessDenied', errorMessage: 'Not allowed' },
    },
    { partition: 'shard-2', position: undefined },
  ],
  recordCount: 12,
  dataBytes: 300,
  lostCount: 4,
  gapCount: 1,
  lastFailure: { errorCode: 'Kinesis.AccessDenied', errorMessage: 'Not allowed', atMs: 1_000 },
}

/** The member Source of the status of a stream whose shards 0 and 1 were read into the store. */
async function sourceStatus(report: SourceReport | undefined): Promise<unknown> {
  await using api = await ApiUnderTest.open()
  await api.context.registry.create(sourceStream())
  await append(api, { partition: 'shard-1', sequence: 1, position: '480' })
  await append(api, { partition: 'shard-0', sequence: 1, position: '77' })
  await append(api, { partition: 'request-1', sequence: 1, position: '', passing: true })
  const request = {
    parameters: new Map([['name', 'logs']]),
    query: new URLSearchParams(),
    headers: {},
    body: Buffer.alloc(0),
    caller: {} as never,
    authorize: () => {},
  }
  const context = { ...api.context, sourceReports: { report: () => report } }
  const { body } = await getStream.handle(request, context)
  return JSON.parse(JSON.stringify((body as JsonObject)['Source']))
}

async function append(api: ApiUnderTest, origin: ChunkOrigin): Promise<void> {
  const target = { streamId: 'logs-id', sizeBytesMax: 1_000, ageMsMax: 60_000 }
  await api.context.store.append(target, { ...chunkOf([Buffer.from('a')], NOW_MS), origin })
}

test('a stream tells how its source goes, and how far others have read it', async () => {
  const LastFailure = { ErrorCode: 'Kinesis.AccessDenied', ErrorMessage: 'Not allowed' }
  expect(await sourceStatus(REPORT)).toEqual({
    State: 'reading',
    Partitions: [
      { Partition: 'shard-0', Position: '77' },
      {
        Partition: 'shard-1',
        Position: '490',
        MillisBehindLatest: 1_200,
        LagRecordCount: 7,
        LastFailure,
      },
      { Partition: 'shard-2' },
    ],
    ReadRecords: 12,
    ReadBytes: 300,
    GapCount: 1,
    LostRecordCount: 4,
    LastFailure,
    LastFailureTimestamp: 1,
  })
})

test('a source that waits tells for what', async () => {
  const waiting = { ...REPORT, state: 'paused', pausedBy: 'store', partitions: [] } as const
  expect(await sourceStatus(waiting)).toMatchObject({ State: 'paused', PausedBy: 'store' })
})

test('where others read the source, only how far is told', async () => {
  expect(await sourceStatus(undefined)).toEqual({
    State: 'elsewhere',
    Partitions: [
      { Partition: 'shard-0', Position: '77' },
      { Partition: 'shard-1', Position: '480' },
    ],
  })
})

test('a stream that is put to has no source to tell of', async () => {
  await using api = await ApiUnderTest.open()
  const { source: _none, ...put } = sourceStream({ type: 'DirectPut' })
  await api.context.registry.create(put)
  const answer = await api.route('GET', '/streams/{name}', { name: 'logs' })
  expect(answer.body).not.toHaveProperty('Source')
})
