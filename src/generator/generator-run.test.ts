import { setImmediate as otherWork } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { GeneratorRun } from './generator-run.ts'
import type { RunOptions } from './generator-run.ts'
import { constantRate, dailyCurve, ramp, spikes } from './rate-plan.ts'
import { RecordMaker } from './record-maker.ts'
import type { MadeRecord, PutAnswer, RecordSink } from './record-sink.ts'
import { Tally } from './tally.ts'

const ALL_TAKEN: PutAnswer = { refused: [], reason: '' }

/** A service that answers as it is told, and keeps what it took. */
class ScriptedSink implements RecordSink {
  readonly limits = { recordsMax: 500, batchBytesMax: 1_000_000, recordBytesMax: 1_000 }
  readonly taken: string[] = []
  requestSizes: number[] = []
  inFlight = 0
  inFlightMax = 0
  /** Of the records of a request, in order; may be replaced at any time. */
  answer: (texts: readonly string[]) => PutAnswer | Promise<PutAnswer> = () => ALL_TAKEN

  async put(records: readonly MadeRecord[]): Promise<PutAnswer> {
    const texts = records.map(({ data }) => data.toString())
    this.requestSizes.push(texts.length)
    this.inFlight += 1
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight)
    try {
      const answer = await this.answer(texts)
      this.taken.push(...texts.filter((_, index) => !answer.refused.includes(index)))
      return answer
    } finally {
      this.inFlight -= 1
    }
  }
}

interface Scene {
  readonly clock: ManualClock
  readonly sink: ScriptedSink
  readonly tally: Tally
  readonly stop: AbortController
  readonly ended: Promise<'done' | Error>
  /** Lets time go on, in uneven steps. */
  advance(durationMs: number): Promise<void>
}

function start(options: Partial<RunOptions>): Scene {
  const clock = new ManualClock()
  const sink = new ScriptedSink()
  const tally = new Tally()
  const stop = new AbortController()
  let made = 0
  const records = new RecordMaker({ template: () => String(made++), delimiter: '' }, sink.limits)
  const defaults = { plan: constantRate(100), records, sink, lanes: 2, clock }
  const run = new GeneratorRun({ ...defaults, ...options }, tally)
  const ended = run.run(stop.signal).then(
    () => 'done' as const,
    (error: unknown) => error as Error,
  )
  const advance = async (durationMs: number): Promise<void> => {
    const steps = [1, 19, 7, 33, 3]
    let leftMs = durationMs
    for (let index = 0; leftMs > 0; index += 1) {
      const stepMs = Math.min(steps[index % steps.length] ?? 1, leftMs)
      await otherWork()
      clock.advance(stepMs)
      leftMs -= stepMs
    }
    await otherWork()
  }
  return { clock, sink, tally, stop, ended, advance }
}

test.each([
  ['constant', constantRate(333)],
  ['ramp', ramp(10, 400, 8_000)],
  ['spike', spikes(50, { everyMs: 3_000, lengthMs: 500, factor: 10 })],
  ['daily', dailyCurve(50, 500, 6_000)],
])('what is made follows the %s plan, second by second', async (_, plan) => {
  const scene = start({ plan, durationMs: 10_000 })
  for (let second = 1; second < 10; second += 1) {
    await scene.advance(1_000)
    const behind = plan(second * 1_000) - scene.tally.acknowledged
    // At most what becomes due within a tick and the longest step of this clock.
    const rate = plan(second * 1_000) - plan(second * 1_000 - 53)
    expect(behind).toBeGreaterThanOrEqual(-1)
    expect(behind).toBeLessThanOrEqual(rate + 1)
  }
  await scene.advance(1_100)
  expect(await scene.ended).toBe('done')
  expect(scene.sink.taken).toHaveLength(Math.floor(plan(10_000) + 1e-6))
  expect(scene.tally).toMatchObject({ missed: 0, failed: 0, resent: 0 })
})

test('a count ends the run at exactly so many records', async () => {
  const scene = start({ count: 1_234, plan: constantRate(10_000) })
  await scene.advance(200)
  expect(await scene.ended).toBe('done')
  expect(scene.sink.taken).toEqual(Array.from({ length: 1_234 }, (_, index) => String(index)))
})

test('the last record is not lost to the last bit of a sum', async () => {
  const scene = start({ plan: (elapsedMs) => elapsedMs * 0.0299999999999, durationMs: 1_000 })
  await scene.advance(1_100)
  expect(await scene.ended).toBe('done')
  expect(scene.sink.taken).toHaveLength(30)
})

test('what is owed waits while no lane is free, without being made, and is made up for', async () => {
  const scene = start({ plan: constantRate(1_000), durationMs: 5_000 })
  let open: (() => void) | undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  scene.sink.answer = async () => {
    await opened
    return ALL_TAKEN
  }
  await scene.advance(3_000)
  expect(scene.sink.inFlight).toBe(2)
  expect(scene.tally.made).toBeLessThan(100)
  open?.()
  await scene.advance(100)
  expect(scene.tally.acknowledged).toBeGreaterThan(3_000)
  expect(Math.max(...scene.sink.requestSizes)).toBe(500)
  await scene.advance(2_000)
  expect(await scene.ended).toBe('done')
  expect(scene.sink.taken).toHaveLength(5_000)
  expect(scene.sink.inFlightMax).toBe(2)
})

test('a second after its duration a run that is behind makes no more, and tells what it missed', async () => {
  const scene = start({ plan: constantRate(1_000), durationMs: 2_000, lanes: 1 })
  scene.sink.answer = async () => {
    await scene.clock.sleep(1_000)
    return ALL_TAKEN
  }
  await scene.advance(5_000)
  expect(await scene.ended).toBe('done')
  expect(scene.tally.made).toBe(scene.tally.acknowledged)
  expect(scene.tally.missed).toBe(2_000 - scene.tally.made)
  expect(scene.tally.missed).toBeGreaterThan(500)
})

test('only what was refused is sent again, after a back-off, until it is taken', async () => {
  const scene = start({ count: 10, plan: constantRate(1_000_000) })
  const requests: (readonly string[])[] = []
  scene.sink.answer = (texts) => {
    requests.push(texts)
    if (requests.length > 1) return ALL_TAKEN
    return { refused: [1, 3], reason: 'ServiceUnavailableException: Slow down.' }
  }
  await scene.advance(70)
  expect(requests).toHaveLength(1)
  await scene.advance(100)
  expect(await scene.ended).toBe('done')
  expect(requests.slice(1)).toEqual([['1', '3']])
  expect(scene.tally).toMatchObject({
    made: 10,
    acknowledged: 10,
    resent: 2,
    failed: 0,
    lastReason: 'ServiceUnavailableException: Slow down.',
  })
})

test('what is refused to the last is given up and counted', async () => {
  const scene = start({ count: 2, plan: constantRate(1_000_000) })
  scene.sink.answer = (texts) => ({ refused: [texts.indexOf('1')], reason: 'no' })
  await scene.advance(200_000)
  expect(await scene.ended).toBe('done')
  expect(scene.tally).toMatchObject({ acknowledged: 1, failed: 1, resent: 11, requests: 12 })
})

function sdkError(name: string, httpStatusCode?: number): Error {
  return Object.assign(new Error('said so'), { name, $metadata: { httpStatusCode } })
}

test.each([
  ['ServiceUnavailableException', 503],
  ['InternalFailure', 500],
  ['TooManyRequests', 429],
  ['ThrottlingException', 400],
  ['TimeoutError', undefined],
])('%s %s is no reason to end', async (name, status) => {
  const scene = start({ count: 3, plan: constantRate(100) })
  let requests = 0
  scene.sink.answer = () => {
    requests += 1
    if (requests === 2) throw sdkError(name, status)
    return ALL_TAKEN
  }
  await scene.advance(2_000)
  expect(await scene.ended).toBe('done')
  expect(scene.sink.taken.toSorted()).toEqual(['0', '1', '2'])
  expect(scene.tally).toMatchObject({ resent: 1, failed: 0, lastReason: `${name}: said so` })
})

test('an error that sending again does not mend ends the run, with what was under way', async () => {
  const scene = start({ plan: constantRate(100) })
  await scene.advance(100)
  const { acknowledged } = scene.tally
  const gone = sdkError('ResourceNotFoundException', 400)
  scene.sink.answer = () => {
    throw gone
  }
  await scene.advance(1_000)
  expect(await scene.ended).toBe(gone)
  expect(scene.tally.acknowledged).toBe(acknowledged)
  expect(scene.tally.failed).toBe(scene.tally.made - acknowledged)
})

test('an endpoint that was never reached ends the run at once', async () => {
  const scene = start({ plan: constantRate(100) })
  const unreachable = sdkError('Error')
  scene.sink.answer = () => {
    throw unreachable
  }
  await scene.advance(50)
  expect(await scene.ended).toBe(unreachable)
})

test('stopped, it makes no more, and offers what was refused once more', async () => {
  const scene = start({ plan: constantRate(100) })
  await scene.advance(500)
  scene.sink.answer = (texts) => ({ refused: texts.map((_, index) => index), reason: 'busy' })
  await scene.advance(100)
  const { made, requests } = scene.tally
  scene.stop.abort()
  await otherWork()
  expect(await scene.ended).toBe('done')
  expect(scene.tally.made).toBe(made)
  expect(scene.tally.requests).toBe(requests + 2)
  expect(scene.tally.failed).toBe(made - scene.tally.acknowledged)
  expect(scene.tally.failed).toBeGreaterThan(0)
})
