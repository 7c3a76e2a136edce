import { expect, test } from 'vitest'
import {
  openOne,
  reading,
  recordsOf,
  ScriptedSources,
  sourceStream,
  untilAborted,
} from '../../test/fakes/scripted-sources.ts'
import { SourceError } from '../source.ts'
import type { SourcePartition } from '../source.ts'

test('what a source reads is taken over, and told', async () => {
  await using scripted = await ScriptedSources.start(async (host, signal) => {
    const partition = await openOne(host)
    expect(partition.position).toBe(undefined)
    host.progress('shard-1', { behindLatestMs: 7 })
    await partition.append(recordsOf(['a', 'bc']), signal)
    await partition.append([], signal)
    await partition.append(recordsOf(['d'], 2), signal)
    expect(partition.position).toBe('2')
    host.progress('shard-0', { behindLatestMs: 5, lagCount: 3 })
    host.progress('shard-2', {})
    host.ended('shard-2')
    await untilAborted(signal)
  })
  await scripted.until('all is read', () => scripted.report.recordCount === 3)
  await scripted.until('it told its progress', () => scripted.report.partitions.length === 2)
  expect(scripted.report).toEqual({
    state: 'reading',
    partitions: [
      { partition: 'shard-0', position: '2', behindLatestMs: 5, lagCount: 3 },
      { partition: 'shard-1', position: undefined, behindLatestMs: 7 },
    ],
    recordCount: 3,
    dataBytes: 4,
    lostCount: 0,
    gapCount: 0,
  })
  expect(await scripted.texts()).toEqual(['a', 'bc', 'd'])
  expect(await scripted.store.positions('logs-id')).toMatchObject([
    { partition: 'shard-0', sequence: 2, position: '2' },
  ])
})

test('only streams that have a source and are active are read', async () => {
  const { source: _none, ...put } = sourceStream({ streamId: 'put', name: 'put' })
  const streams = [
    { ...put, type: 'DirectPut' } as const,
    sourceStream({ streamId: 'going', name: 'going', status: 'DELETING' }),
  ]
  await using scripted = await ScriptedSources.start(reading(['a']), { streams })
  await scripted.passMs(2_000)
  expect(scripted.runsAtMs).toEqual([])
  expect(scripted.sources.report('put')).toBe(undefined)
  expect(scripted.sources.report('going')).toBe(undefined)
  scripted.keep(sourceStream())
  expect(scripted.report.state).toBe('starting')
  await scripted.until('the new stream is read', () => scripted.report.recordCount === 1)
})

test('a source that fails is run anew, later each time, and goes on where it was', async () => {
  const texts = ['a', 'b', 'c']
  await using scripted = await ScriptedSources.start(async (host, signal, runIndex) => {
    if (runIndex < 4) throw new SourceError('Kinesis.ResourceNotFound', 'No such stream')
    const partition = await openOne(host)
    const next = partition.position === undefined ? 0 : Number(partition.position) + 1
    await partition.append(recordsOf(texts.slice(next, next + 1), next), signal)
    if (next < 2) throw new SourceError('Kinesis.AccessDenied', 'Not any more')
    await untilAborted(signal)
  })
  await scripted.until('it has failed', () => scripted.runsAtMs.length === 2)
  expect(scripted.report).toMatchObject({
    state: 'failing',
    partitions: [],
    lastFailure: { errorCode: 'Kinesis.ResourceNotFound', errorMessage: 'No such stream' },
  })
  await scripted.until('all is read', () => scripted.report.recordCount === 3)
  const { runsAtMs } = scripted
  const waitsMs = runsAtMs.slice(1).map((atMs, index) => atMs - (runsAtMs[index] ?? 0))
  const roundedMs = waitsMs.map((waitMs) => Math.round(waitMs / 1_000) * 1_000)
  expect(roundedMs.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000])
  // From the first again, plus what the disk took.
  expect(roundedMs.slice(4).filter((waitMs) => waitMs > 8_000)).toEqual([])
  expect(scripted.report).toMatchObject({
    state: 'reading',
    lastFailure: { errorCode: 'Kinesis.AccessDenied' },
  })
  expect(await scripted.texts()).toEqual(texts)
  // The first four are the same and said once; after each of the others something was read.
  expect(scripted.stores.complaints).toHaveLength(3)
})

test('a source that ends by itself, or in an unforeseen way, is run anew', async () => {
  await using scripted = await ScriptedSources.start(async (_host, signal, runIndex) => {
    if (runIndex === 0) return
    if (runIndex === 1) throw new Error('password=1234')
    await untilAborted(signal)
  })
  await scripted.until(
    'its end is told',
    () => scripted.report.lastFailure?.errorCode === 'Source.Ended',
  )
  await scripted.until('it is run for the third time', () => scripted.runsAtMs.length === 3)
  expect(scripted.report.lastFailure).toEqual({
    errorCode: 'InternalFailure',
    errorMessage: 'The source failed unexpectedly; the log says how',
    atMs: expect.any(Number),
  })
  expect(scripted.stores.complaints).toContain(
    'error: A source failed in a way that was not foreseen.',
  )
})

test('a failure of a partition is shown until that partition makes progress', async () => {
  const failed = new SourceError('Kinesis.AccessDenied', 'Not this one')
  const steps = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  await using scripted = await ScriptedSources.start(async (host, signal) => {
    const partition = await openOne(host)
    host.progress('shard-0', {})
    host.progress('shard-1', {})
    host.failed(failed, 'shard-1')
    await steps[0].promise
    host.failed(failed, 'shard-0')
    await steps[1].promise
    await partition.append(recordsOf(['a']), signal)
    host.progress('shard-1', {})
    await untilAborted(signal)
  })
  const failure = { errorCode: 'Kinesis.AccessDenied', errorMessage: 'Not this one' }
  await scripted.until('one partition fails', () => scripted.report.lastFailure !== undefined)
  expect(scripted.report).toMatchObject({
    state: 'reading',
    partitions: [{ partition: 'shard-0' }, { partition: 'shard-1', failure }],
  })
  steps[0].resolve()
  await scripted.until('both fail', () => scripted.report.state === 'failing')
  steps[1].resolve()
  await scripted.until('one is read', () => scripted.report.state === 'reading')
  await scripted.until('both are mended', () =>
    scripted.report.partitions.every((partition) => partition.failure === undefined),
  )
})

test('what was read before a source failed is not shown as being read after it', async () => {
  await using scripted = await ScriptedSources.start(async (host, signal, runIndex) => {
    host.progress(`shard-${runIndex}`, {})
    if (runIndex === 0) throw new SourceError('Kinesis.Throttled', 'Later')
    await untilAborted(signal)
  })
  await scripted.until('it is run anew', () => scripted.runsAtMs.length === 2)
  expect(scripted.report.partitions).toEqual([{ partition: 'shard-1', position: undefined }])
})

test('how far a partition was read by an earlier run is shown before it goes on', async () => {
  await using scripted = await ScriptedSources.start(async (host, signal, runIndex) => {
    const partition = await openOne(host)
    if (runIndex === 0) {
      await partition.append(recordsOf(['a']), signal)
      throw new SourceError('Kinesis.Throttled', 'Later')
    }
    host.failed(new SourceError('Kinesis.AccessDenied', 'Not this one'), 'shard-0')
    await untilAborted(signal)
  })
  const isDenied = () => scripted.report.lastFailure?.errorCode === 'Kinesis.AccessDenied'
  await scripted.until('it fails again', isDenied)
  expect(scripted.report).toMatchObject({
    state: 'failing',
    partitions: [{ partition: 'shard-0', position: '0' }],
  })
})

test('records that went unread are counted and are an error in the log', async () => {
  await using scripted = await ScriptedSources.start(async (host, signal) => {
    host.gap('shard-0', 12, 'trimmed')
    host.gap('shard-0', undefined, 'expired')
    await untilAborted(signal)
  })
  await scripted.until('it is told', () => scripted.report.gapCount === 2)
  expect(scripted.report).toMatchObject({ lostCount: 12 })
  expect(scripted.stores.complaints).toEqual([
    'error: Records of a source went before they could be read.',
    'error: Records of a source went before they could be read.',
  ])
})

test('a stream that is deleted is read no more, and nothing is taken over for it', async () => {
  let stopped = false
  await using scripted = await ScriptedSources.start(async (host, signal) => {
    const partition = await openOne(host)
    await host.renewLeases(['shard-0'])
    try {
      for (let next = 0; ; next += 1) await partition.append(recordsOf(['a'], next), signal)
    } finally {
      stopped = true
    }
  })
  await scripted.until('something is read', () => scripted.report.recordCount > 0)
  let afterwards = 0
  scripted.append = async (_chunk, go) => {
    afterwards += 1
    return await go()
  }
  scripted.keep(sourceStream({ status: 'DELETING' }))
  await scripted.until('the source has stopped', () => stopped)
  await scripted.until('it is forgotten', () => scripted.sources.report('logs-id') === undefined)
  expect(afterwards).toBeLessThanOrEqual(1)
  expect(scripted.released).toEqual(['logs-id'])
  expect(scripted.stores.complaints).toEqual([])
})

test('a stop waits for what is being appended, and nothing is appended after it', async () => {
  const appending = Promise.withResolvers<void>()
  const mayEnd = Promise.withResolvers<void>()
  const refusals: unknown[] = []
  let partition: SourcePartition | undefined
  await using scripted = await ScriptedSources.start(async (host, signal) => {
    partition = await openOne(host)
    // It does not wait for its append, which a good source would.
    void partition
      .append([...recordsOf(['a']), ...recordsOf(['x'.repeat(2 ** 20)], 1)], signal)
      .catch((error: unknown) => refusals.push(error))
    await untilAborted(signal)
  })
  scripted.append = async (_chunk, go) => {
    appending.resolve()
    await mayEnd.promise
    return await go()
  }
  await appending.promise
  let stopped = false
  const stopping = scripted.stop().then(() => (stopped = true))
  await scripted.passMs(500)
  expect(stopped).toBe(false)
  mayEnd.resolve()
  await stopping
  expect(await scripted.texts()).toEqual(['a'])
  expect(refusals).toMatchObject([{ name: 'AbortError' }])
})

test('a source that does not stop is left behind, and can do no more', async () => {
  const late = Promise.withResolvers<unknown>()
  const { promise: told, resolve: tell } = Promise.withResolvers<void>()
  await using scripted = await ScriptedSources.start(async (host) => {
    const partition = await openOne(host)
    const deaf = new AbortController().signal
    await partition.append(recordsOf(['a']), deaf)
    await told
    await partition.append(recordsOf(['b'], 1), deaf).catch(late.resolve)
    await new Promise(() => {})
  })
  await scripted.until('something is read', () => scripted.report.recordCount === 1)
  await scripted.stop()
  tell()
  expect(await late.promise).toMatchObject({ name: 'AbortError' })
  expect(scripted.stores.complaints).toEqual([
    'warn: A source did not stop in time and was left behind.',
  ])
  expect(await scripted.texts()).toEqual(['a'])
})
