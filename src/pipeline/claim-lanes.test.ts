import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { BatchIds } from '../batch.ts'
import type { Claim } from '../delivery-queue.ts'
import { ClaimLanes } from './claim-lanes.ts'

const SLOW_MS = 5_000

/** One ordinary turn. What is processed says that it has begun, and ends when it is told to. */
class Trial {
  readonly clock = new ManualClock()
  readonly begun: string[] = []
  readonly lent: string[] = []
  readonly #ids = new BatchIds(this.clock)
  readonly #ends = new Map<string, () => void>()
  readonly #lanes = new ClaimLanes({
    host: {
      claim: () => Promise.resolve(undefined),
      lend: ({ token }) => Promise.resolve(void this.lent.push(token)),
    },
    claimsMax: 8,
    processingsMax: 1,
    clock: this.clock,
  })

  /** Batches by their names, a stream's and a number: `slow 1`. */
  async process(...names: readonly string[]): Promise<void> {
    for (const name of names) void this.#lanes.process(this.#claim(name), () => this.#run(name))
    await turnOfTheLoop()
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms)
    await turnOfTheLoop()
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)?.()
    await turnOfTheLoop()
  }

  #run(name: string): Promise<void> {
    this.begun.push(name)
    return new Promise((resolve) => this.#ends.set(name, resolve))
  }

  #claim(token: string): Claim {
    const batch = {
      batchId: this.#ids.next(),
      streamId: token.split(' ')[0] ?? '',
      recordCount: 1,
      dataBytes: 1,
      storedBytes: 1,
      firstArrivalMs: 0,
      lastArrivalMs: 0,
      sealedAtMs: 0,
      sealReason: 'age',
    } as const
    return { token, batch, attempt: 1, streamFailureCount: 0 }
  }
}

test('batches take turns, and a slow one gives its turn away', async () => {
  const trial = new Trial()
  await trial.process('slow 1', 'quick 1', 'quick 2')
  await trial.pass(SLOW_MS - 1)
  expect(trial.begun).toEqual(['slow 1'])
  expect(trial.lent).toEqual([])
  await trial.pass(1)
  expect(trial.begun).toEqual(['slow 1', 'quick 1'])
  expect(trial.lent).toEqual(['slow 1'])
  await trial.end('quick 1')
  expect(trial.begun).toEqual(['slow 1', 'quick 1', 'quick 2'])
})

test('other batches of a slow stream wait for each other, and nobody for them', async () => {
  const trial = new Trial()
  // The second one waits in the ordinary way when its stream turns out to be slow.
  await trial.process('slow 1', 'slow 2', 'quick 1')
  await trial.pass(SLOW_MS)
  expect(trial.begun.toSorted()).toEqual(['quick 1', 'slow 1', 'slow 2'])
  await trial.process('slow 3', 'quick 2')
  expect(trial.lent).toEqual(['slow 1', 'slow 2', 'slow 3'])
  await trial.end('quick 1')
  expect(trial.begun).not.toContain('slow 3')
  expect(trial.begun).toContain('quick 2')
  await trial.end('slow 2')
  expect(trial.begun).toContain('slow 3')
})

test('a stream whose slow batches have ended takes turns with the others again', async () => {
  const trial = new Trial()
  await trial.process('slow 1')
  await trial.pass(SLOW_MS)
  await trial.end('slow 1')
  await trial.process('slow 2', 'quick 1')
  expect(trial.begun).toEqual(['slow 1', 'slow 2'])
  expect(trial.lent).toEqual(['slow 1'])
})

test('one stream with many slow batches leaves room for those of other streams', async () => {
  const trial = new Trial()
  await trial.process(...Array.from({ length: 30 }, (_, index) => `slow ${index}`))
  for (let passed = 0; passed < 30; passed += 1) await trial.pass(SLOW_MS)
  // The first, those that gave their turn away, and the one that has it.
  const begunCount = 1 + 7 + 1
  expect(trial.begun).toHaveLength(begunCount)
  for (let stream = 1; stream <= 8; stream += 1) {
    await trial.process(`other-${stream} 1`)
    await trial.pass(SLOW_MS)
  }
  await trial.process('quick 1')
  expect(trial.begun).toHaveLength(begunCount + 8 + 1)
})
