import { expect, test } from 'vitest'
import {
  openOne,
  reading,
  recordsOf,
  ScriptedSources,
  transformedStream,
  untilAborted,
} from '../../test/fakes/scripted-sources.ts'
import { BackendUnavailable } from '../backend.ts'
import { AppendError } from '../batch-store.ts'
import { PositionMoved } from '../chunk-origin.ts'
import type { SourceHost } from '../source.ts'

test('large reads are cut into chunks', async () => {
  const texts = Array.from({ length: 10_001 }, (_, index) => `${index}`)
  await using scripted = await ScriptedSources.start(reading(texts))
  await scripted.until('all is read', () => scripted.report.recordCount === 10_001)
  expect(await scripted.store.positions('logs-id')).toMatchObject([{ sequence: 2 }])
  expect(await scripted.texts()).toEqual(texts)
})

test('a chunk that the store fails to take is offered again until it is there', async () => {
  await using scripted = await ScriptedSources.start(reading(['a', 'b']))
  const failures = [
    new BackendUnavailable('Redis is away'),
    new AppendError('full', 'Cannot append: full'),
    new AppendError('failed', 'Cannot append: EIO'),
  ]
  const sequences: (number | undefined)[] = []
  scripted.append = async (chunk, go) => {
    sequences.push(chunk.origin?.sequence)
    const failure = failures.shift()
    if (failure !== undefined) throw failure
    return await go()
  }
  const codes = new Set<string | undefined>()
  await scripted.until('all is read', () => {
    codes.add(scripted.report.lastFailure?.errorCode)
    return scripted.report.recordCount === 2
  })
  expect(scripted.runsAtMs).toHaveLength(1)
  expect(sequences).toEqual([1, 1, 1, 1])
  expect(codes).toEqual(new Set([undefined, 'Store.Unavailable', 'Store.Full', 'Store.Failed']))
  expect(scripted.report.state).toBe('reading')
  expect(await scripted.texts()).toEqual(['a', 'b'])
})

test('after an answer that was lost the source is told that the position moved, and reads on', async () => {
  const moved: unknown[] = []
  await using scripted = await ScriptedSources.start(async (host, signal) => {
    const stale = await openOne(host)
    await stale.append(recordsOf(['a']), signal).catch((error: unknown) => moved.push(error))
    const partition = await openOne(host)
    await partition.append(recordsOf(['b'], Number(partition.position) + 1), signal)
    await stale.append(recordsOf(['z']), signal).catch((error: unknown) => moved.push(error))
    await untilAborted(signal)
  })
  let lost = false
  scripted.append = async (_chunk, go) => {
    await go()
    if (lost) return
    lost = true
    throw new BackendUnavailable('No answer')
  }
  await scripted.until('both were refused', () => moved.length === 2)
  expect(moved).toEqual([expect.any(PositionMoved), expect.any(PositionMoved)])
  expect(await scripted.texts()).toEqual(['a', 'b'])
})

test('two readers of one partition take over each record once', async () => {
  const texts = Array.from({ length: 40 }, (_, index) => `record ${index}`)
  const zombie = async (host: SourceHost, signal: AbortSignal): Promise<void> => {
    for (;;) {
      const partition = await openOne(host)
      try {
        for (;;) {
          const next = partition.position === undefined ? 0 : Number(partition.position) + 1
          if (next === texts.length) return
          await partition.append(recordsOf(texts.slice(next, next + 3), next), signal)
        }
      } catch (error) {
        if (!(error instanceof PositionMoved)) throw error
      }
    }
  }
  await using scripted = await ScriptedSources.start(async (host, signal) => {
    await Promise.all([zombie(host, signal), zombie(host, signal)])
    await untilAborted(signal)
  })
  await scripted.until('all is read', () => scripted.report.recordCount === 40)
  expect(await scripted.texts()).toEqual(texts)
})

test('a source that is faster than its destination pauses, and goes on', async () => {
  await using scripted = await ScriptedSources.start(async (host, signal) => {
    const partition = await openOne(host)
    for (let next = 0; next < 8; next += 1) {
      await host.admit(signal)
      await partition.append(recordsOf(['x'.repeat(1_000_000)], next), signal)
      scripted.pendingBytes += 1_000_000
    }
    await untilAborted(signal)
  })
  await scripted.until('it pauses', () => scripted.report.state === 'paused')
  expect(scripted.report.recordCount).toBe(6)
  await scripted.passMs(2_000)
  expect(scripted.report.recordCount).toBe(6)
  scripted.pendingBytes = 0
  await scripted.until('it goes on', () => scripted.report.recordCount === 8)
  expect(scripted.report.state).toBe('reading')
})

test('a backlog of two batches is allowed, however low the limit', async () => {
  await using scripted = await ScriptedSources.start(
    async (host, signal) => {
      const partition = await openOne(host)
      for (let next = 0; ; next += 1) {
        await partition.append(recordsOf(['x'.repeat(1_000_000)], next), signal)
        scripted.pendingBytes += 1_000_000
      }
    },
    { backlogBytesMax: 1 },
  )
  await scripted.until('it pauses', () => scripted.report.state === 'paused')
  expect(scripted.report.recordCount).toBe(3)
})

test('a full store keeps the source waiting until there is room', async () => {
  const texts = Array.from({ length: 6 }, () => 'x'.repeat(200_000))
  const options = { quotaBytes: 1_000_000 }
  await using scripted = await ScriptedSources.start(async (host, signal) => {
    const partition = await openOne(host)
    for (const [index, text] of texts.entries()) {
      await partition.append(recordsOf([text], index), signal)
    }
    await untilAborted(signal)
  }, options)
  await scripted.until('it pauses', () => scripted.report.state === 'paused')
  expect(scripted.report.pausedBy).toBe('store')
  expect(scripted.report.recordCount).toBe(3)
  expect(scripted.store.usage().accepting).toBe(true)
  await scripted.store.seal('logs-id', 'flush')
  for (const batch of scripted.stores.sealed) await scripted.store.remove(batch)
  await scripted.until('it goes on', () => scripted.report.recordCount === 6)
})

test('what is known of records is kept where a function is shown it, and only there', async () => {
  await using plain = await ScriptedSources.start(reading(['a', 'b']))
  await plain.until('all is read', () => plain.report.recordCount === 2)
  expect(await plain.metadata()).toEqual([undefined])
  const streams = [transformedStream()]
  await using shown = await ScriptedSources.start(reading(['a', 'b']), { streams })
  await shown.until('all is read', () => shown.report.recordCount === 2)
  expect(await shown.metadata()).toEqual([[{ place: 0 }, { place: 1 }]])
})
