import { expect, test } from 'vitest'
import { Chance } from './chance.ts'
import { Scheduler, THE_WORLD } from './scheduler.ts'
import { Trace } from './trace.ts'
import { virtualClock, WallClock } from './virtual-clock.ts'

test('events happen in the order of their times, those of one time in the order they were made', async () => {
  const scheduler = new Scheduler(new Trace())
  const happened: string[] = []
  const plan: readonly (readonly [number, string])[] = [
    [5, 'e'],
    [1, 'a'],
    [3, 'c'],
    [3, 'd'],
    [2, 'b'],
  ]
  for (const [delayMs, name] of plan)
    scheduler.after(delayMs, THE_WORLD, name, () => happened.push(name))
  expect(await scheduler.runUntil(() => false, 10)).toBe(false)
  expect(happened.join('')).toBe('abcde')
  expect(scheduler.nowMs).toBe(10)
})

test('all that can follow from an event has followed before the next', async () => {
  const scheduler = new Scheduler(new Trace())
  const happened: string[] = []
  async function longWay(): Promise<void> {
    for (let step = 0; step < 100; step += 1) await Promise.resolve()
    happened.push('end of the long way')
  }
  scheduler.after(1, THE_WORLD, 'first', () => void longWay())
  scheduler.after(1, THE_WORLD, 'second', () => happened.push('second'))
  await scheduler.runUntil(() => happened.length === 2, 10)
  expect(happened).toEqual(['end of the long way', 'second'])
})

test('what a dead process waited for never happens', async () => {
  const scheduler = new Scheduler(new Trace())
  const process = { alive: true }
  const clock = virtualClock(scheduler, new WallClock(), new Chance(1), process)
  let woken = false
  void clock.sleep(5).then(() => (woken = true))
  scheduler.after(1, THE_WORLD, 'death', () => (process.alive = false))
  await scheduler.runUntil(() => false, 10)
  expect(woken).toBe(false)
})

test('a sleep ends at once when its signal aborts', async () => {
  const scheduler = new Scheduler(new Trace())
  const clock = virtualClock(scheduler, new WallClock(), new Chance(1), THE_WORLD)
  const abort = new AbortController()
  let wokenAtMs = 0
  void clock.sleep(5_000, abort.signal).then(() => (wokenAtMs = clock.monotonicMs()))
  scheduler.after(7, THE_WORLD, 'abort', () => abort.abort())
  await scheduler.runUntil(() => wokenAtMs > 0, 10_000)
  expect(wokenAtMs).toBe(7)
})

test('a jump of the wall clock leaves monotonic time alone', () => {
  const scheduler = new Scheduler(new Trace())
  const wallClock = new WallClock()
  const clock = virtualClock(scheduler, wallClock, new Chance(1), THE_WORLD)
  const before = clock.nowMs()
  wallClock.jump(-3_600_000)
  expect([clock.nowMs() - before, clock.monotonicMs()]).toEqual([-3_600_000, 0])
})
