import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { ApiUnderTest, NOW_MS, refusalOf } from './api-under-test.ts'
import { createInput } from './requests.ts'

const REPLAYS = '/streams/{name}/replays'
const LOGS = { name: 'logs' }

type Replay = JsonObject & { readonly ReplayId: string }

async function openWithStreams(): Promise<ApiUnderTest> {
  const api = await ApiUnderTest.open()
  for (const name of ['logs', 'other']) {
    await api.call('CreateDeliveryStream', createInput(name))
  }
  return api
}

async function start(api: ApiUnderTest, body: JsonObject): Promise<Replay> {
  const answer = await api.route('POST', REPLAYS, LOGS, { body: JSON.stringify(body) })
  expect(answer.statusCode).toBe(201)
  return answer.body as Replay
}

/** As it is when it has ended, which cancelling waits for. */
async function ended(api: ApiUnderTest, { ReplayId }: Replay): Promise<JsonObject> {
  const parameters = { ...LOGS, replayId: ReplayId }
  const { body } = await api.route('DELETE', `${REPLAYS}/{replayId}`, parameters)
  return body as JsonObject
}

test('a replay tells what it was asked for', async () => {
  await using api = await openWithStreams()
  const request = {
    Source: { Bucket: 'bucket', Prefix: 'errors/' },
    Format: 'error',
    ErrorCode: '400',
    ToStream: 'other',
    RecordsPerSecond: 10,
    DryRun: true,
  }
  const times = { From: '2026-11-20T10:00:00+01:00', To: 1_800_000_000.5 }
  const replay = await start(api, { ...request, ...times })
  expect(replay).toEqual({
    ...request,
    ReplayId: expect.stringMatching(/^[0-9a-f]{16}$/),
    State: 'running',
    DeliveryStreamName: 'logs',
    From: Date.UTC(2026, 10, 20, 9) / 1_000,
    To: 1_800_000_000.5,
    StartedTimestamp: expect.any(Number),
    ObjectCount: 0,
    ReadRecordCount: 0,
    SelectedRecordCount: 0,
    ReplayedRecordCount: 0,
    AlreadyReplayedRecordCount: 0,
  })
  const last = await ended(api, replay)
  expect(last).toMatchObject({ ReplayId: replay.ReplayId, EndedTimestamp: expect.any(Number) })
  expect((await api.route('GET', REPLAYS, LOGS)).body).toEqual({ Replays: [last] })
  expect((await api.route('GET', REPLAYS, { name: 'other' })).body).toEqual({ Replays: [] })
})

test('times may be dates', async () => {
  await using api = await openWithStreams()
  const replay = await start(api, { From: '2026-11-20', To: NOW_MS / 1_000 })
  expect(replay).toMatchObject({ From: Date.UTC(2026, 10, 20) / 1_000, To: NOW_MS / 1_000 })
  await ended(api, replay)
})

test.for([
  [{ Stream: 'x' }, 'Cannot use Stream: no such member'],
  [{ Source: 'bucket/prefix' }, 'Cannot use Source: must be an object'],
  [{ Source: { Prefix: 'x' } }, 'Cannot use Source: Bucket is missing'],
  [{ Source: { Bucket: 'b', Prefix: 7 } }, 'Cannot use Source.Prefix: must be text'],
  [{ Format: 'json' }, 'Cannot use Format: one of error, records'],
  [{ ErrorCode: 400 }, 'Cannot use ErrorCode: must be text'],
  [
    { RecordsPerSecond: 0 },
    'Cannot use RecordsPerSecond: must be a whole number from 1 to 1000000',
  ],
  [{ DryRun: 'yes' }, 'Cannot use DryRun: must be true or false'],
  [{ Format: 'records', ErrorCode: '400' }, 'Cannot select by error code: plain records have none'],
  [{ Format: 'records' }, 'Cannot replay the backup of logs: it keeps none'],
  [
    { From: 'yesterday' },
    'Cannot use From: must be a time such as 2026-11-21T10:00:00Z, or seconds since 1970',
  ],
  [
    { To: '2026-13-01' },
    'Cannot use To: must be a time such as 2026-11-21T10:00:00Z, or seconds since 1970',
  ],
] as const)('%o is refused', async ([request, message]) => {
  await using api = await openWithStreams()
  const call = api.route('POST', REPLAYS, LOGS, { body: JSON.stringify(request) })
  expect(await refusalOf(call)).toEqual({ __type: 'InvalidArgumentException', message })
})

test.for([
  ['POST', REPLAYS, { name: 'none' }, '{}'],
  ['POST', REPLAYS, LOGS, '{"ToStream":"none"}'],
  ['GET', REPLAYS, { name: 'none' }, ''],
] as const)('%s %s of an unknown stream is refused', async ([method, path, names, body]) => {
  await using api = await openWithStreams()
  expect(await refusalOf(api.route(method, path, names, { body }))).toMatchObject({
    __type: 'ResourceNotFoundException',
  })
})

test.for(['GET', 'DELETE'])('%s of an unknown replay is refused', async (method) => {
  await using api = await openWithStreams()
  const replay = await start(api, {})
  await ended(api, replay)
  for (const parameters of [
    { name: 'logs', replayId: 'none' },
    { name: 'other', replayId: replay.ReplayId },
  ]) {
    expect(await refusalOf(api.route(method, `${REPLAYS}/{replayId}`, parameters))).toMatchObject({
      __type: 'NotFoundException',
    })
  }
})
