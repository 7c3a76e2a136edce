import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { BackendUnavailable } from '../backend.ts'
import type { StoreUsage } from '../batch-store.ts'
import type { StreamStatus } from '../pipeline/ledger.ts'
import { Admission } from './admission.ts'

const LIMIT = 1_000

class World {
  readonly clock = new ManualClock()
  readonly complaints: string[] = []
  pendingBytes: number | Error = 0
  lookCount = 0
  usage: StoreUsage = {
    storedBytes: 0,
    quotaBytes: 10_000,
    batchCount: 0,
    quarantinedChunkCount: 0,
    accepting: true,
  }
  readonly admission = new Admission({
    streamId: 'logs-id',
    backlogBytesMax: () => LIMIT,
    ledger: { status: () => this.#status() },
    store: { usage: () => this.usage },
    clock: this.clock,
    onUnavailable: ({ message }) => this.complaints.push(message),
  })

  /** Whether it is admitted within a while. */
  async asks(waitMs = 0): Promise<boolean> {
    const asking = new AbortController()
    const admitted = this.admission.admit(asking.signal).then(
      () => true,
      () => false,
    )
    await this.pass(waitMs)
    asking.abort()
    return await admitted
  }

  async pass(durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs <= durationMs; passedMs += 50) {
      await nextTurn()
      if (passedMs < durationMs) this.clock.advance(50)
    }
  }

  async #status(): Promise<StreamStatus> {
    this.lookCount += 1
    if (typeof this.pendingBytes !== 'number') throw this.pendingBytes
    return { pendingBytes: this.pendingBytes } as StreamStatus
  }
}

test('beyond the backlog a source waits, until a fifth of it is delivered', async () => {
  const world = new World()
  world.pendingBytes = LIMIT
  expect(await world.asks()).toBe(true)
  expect(world.admission.pausedBy).toBe(undefined)
  world.pendingBytes = LIMIT + 1
  await world.pass(300)
  expect(await world.asks(1_000)).toBe(false)
  expect(world.admission.pausedBy).toBe('backlog')
  world.pendingBytes = 0.8 * LIMIT + 1
  expect(await world.asks(1_000)).toBe(false)
  world.pendingBytes = 0.8 * LIMIT
  expect(await world.asks(1_000)).toBe(true)
  expect(world.admission.pausedBy).toBe(undefined)
})

test('what was taken over counts before anybody looks again', async () => {
  const world = new World()
  expect(await world.asks()).toBe(true)
  world.admission.taken(LIMIT)
  expect(await world.asks()).toBe(true)
  world.admission.taken(1)
  expect(await world.asks()).toBe(false)
  expect(world.lookCount).toBe(1)
})

test('the ledger is asked four times a second at most, however many ask', async () => {
  const world = new World()
  for (let passedMs = 0; passedMs < 1_000; passedMs += 50) {
    await Promise.all([world.asks(), world.asks(), world.asks()])
    await world.pass(50)
  }
  expect(world.lookCount).toBe(4)
})

test('half of the store is left to puts', async () => {
  const world = new World()
  world.usage = { ...world.usage, storedBytes: 5_000 }
  expect(await world.asks()).toBe(true)
  world.usage = { ...world.usage, storedBytes: 5_001 }
  expect(await world.asks(1_000)).toBe(false)
  world.usage = { ...world.usage, storedBytes: 4_001 }
  expect(await world.asks(1_000)).toBe(false)
  world.usage = { ...world.usage, storedBytes: 4_000 }
  expect(await world.asks(1_000)).toBe(true)
})

test('a store that takes no puts takes nothing of a source either', async () => {
  const world = new World()
  world.usage = { ...world.usage, accepting: false }
  expect(await world.asks(1_000)).toBe(false)
  world.usage = { ...world.usage, accepting: true }
  expect(await world.asks(1_000)).toBe(true)
})

test('a backend that cannot be asked is waited for, and that is told', async () => {
  const world = new World()
  world.pendingBytes = new BackendUnavailable('Redis is away')
  expect(await world.asks(600)).toBe(false)
  expect(new Set(world.complaints)).toEqual(new Set(['Redis is away']))
  world.pendingBytes = 0
  expect(await world.asks(600)).toBe(true)
})

test('whoever gives up waiting is let go', async () => {
  const world = new World()
  world.pendingBytes = LIMIT + 1
  const asking = new AbortController()
  const admitted = world.admission.admit(asking.signal)
  await nextTurn()
  asking.abort(new Error('enough'))
  await expect(admitted).rejects.toThrow('enough')
})
