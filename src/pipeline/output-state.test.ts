import { expect, test } from 'vitest'
import type { SealedBatch } from '../batch.ts'
import type { RecordFailure } from '../destination.ts'
import { DeliveryError } from '../destination.ts'
import type { FrozenOutput } from '../manifest.ts'
import { RecordSet } from '../record-set.ts'
import { OutputState } from './output-state.ts'
import type { OutputStateOptions } from './output-state.ts'

const batch = { recordCount: 8 } as SealedBatch

const frozen: FrozenOutput = {
  kind: 'documents',
  target: 'index',
  accounting: 'delivered',
  recordCount: 4,
  range: { from: 2, to: 6 },
  sizeBytes: 0,
  sha256: '',
  formerSha256s: [],
}

function stateOf(options: Partial<OutputStateOptions> = {}): OutputState {
  return new OutputState({
    output: options.frozen ?? frozen,
    frozen,
    batch,
    policy: { atLeastOnce: false },
    found: false,
    thawedAttempts: 0,
    ...options,
  })
}

function failure(ordinal: number, members: Partial<RecordFailure> = {}): RecordFailure {
  const said = { errorCode: '429', errorMessage: 'Busy' }
  return { ordinal, ...said, retryable: true, effect: 'none', ...members }
}

const error = (retryable: boolean, effect: 'none' | 'unknown'): DeliveryError =>
  new DeliveryError('503', 'Unavailable', { retryable, effect })

const textOf = (...ordinals: readonly number[]): string => {
  const set = RecordSet.empty(6)
  for (const ordinal of ordinals) set.add(ordinal)
  return set.toString()
}

test('before the first attempt, what is in its range is pending', () => {
  const state = stateOf()
  const ordinals = [0, 1, 2, 3, 4, 5, 6, 7]
  expect(ordinals.filter((ordinal) => state.isPending(ordinal))).toEqual([2, 3, 4, 5])
  expect(state.frozen()).toBe(frozen)
  expect(state.tookEffect).toBe(false)
})

test('each record of an attempt has its own fate', () => {
  const state = stateOf()
  state.attempted(
    [
      failure(3, { retryable: false, errorCode: '400', errorMessage: 'Mapping' }),
      failure(4),
      failure(5, { effect: 'unknown' }),
    ],
    1_000,
  )
  expect(state.frozen().progress).toEqual({
    attempts: 1,
    lastAttemptAtMs: 1_000,
    pending: textOf(4, 5),
    unknown: textOf(5),
    refused: [{ ordinal: 3, errorCode: '400', errorMessage: 'Mapping', attempts: 1, atMs: 1_000 }],
    lastFailure: { errorCode: '429', errorMessage: 'Busy' },
  })
})

test('when all have arrived it is done, and has forgotten its doubts', () => {
  const state = stateOf()
  state.failed(error(true, 'unknown'), 1)
  state.attempted([], 2)
  expect(state.isDone).toBe(true)
  expect(state.frozen().progress).toEqual({
    attempts: 2,
    lastAttemptAtMs: 2,
    refused: [],
    lastFailure: { errorCode: '503', errorMessage: 'Unavailable' },
  })
})

test('it takes up where the manifest says, and says the same again', () => {
  const before = stateOf()
  before.attempted([failure(2, { effect: 'unknown' }), failure(3, { retryable: false })], 5)
  const after = stateOf({ frozen: before.frozen(), found: true })
  expect(after.frozen()).toEqual(before.frozen())
  expect(after.attempts).toBe(1)
})

test('found without progress, all of it is of unknown fate', () => {
  const state = stateOf({ found: true })
  state.attempted([failure(2), failure(3)], 5)
  state.giveUp()
  expect(state.refusedCount).toBe(0)
  expect(state.isDone).toBe(false)
})

test('under way, all that is pending is of unknown fate to a finder', () => {
  const state = stateOf()
  state.attempted([failure(2), failure(3, { effect: 'unknown' })], 5)
  expect(state.frozen().progress?.unknown).toBe(textOf(3))
  expect(state.frozenUnderWay().progress?.unknown).toBe(textOf(2, 3))
})

test('given up, a record is refused for what was last said of it, one of unknown fate is not', () => {
  const state = stateOf()
  state.attempted([failure(2), failure(3, { errorCode: '409' })], 5)
  state.failed(error(true, 'none'), 6)
  state.giveUp()
  expect(state.frozen().progress?.refused.map(({ errorCode }) => errorCode)).toEqual(['503', '503'])
  const doubtful = stateOf()
  doubtful.failed(error(true, 'unknown'), 5)
  doubtful.giveUp()
  expect(doubtful.refusedCount).toBe(0)
})

test('at least once, those of unknown fate are given up, too', () => {
  const state = stateOf({ policy: { atLeastOnce: true } })
  state.failed(error(true, 'unknown'), 5)
  state.giveUp()
  expect([state.refusedCount, state.isDone]).toEqual([4, true])
})

test('nothing is given up before it was tried', () => {
  const state = stateOf()
  state.giveUp()
  expect([state.refusedCount, state.isDone]).toEqual([0, false])
})

test('without a policy, and of a copy, nothing is refused', () => {
  for (const options of [
    { policy: undefined },
    { frozen: { ...frozen, accounting: 'copy' } },
  ] as const) {
    const state = stateOf(options)
    state.failed(error(false, 'none'), 5)
    state.giveUp()
    expect([state.refusedCount, state.isDone]).toEqual([0, false])
    expect(() => state.attempted([failure(2, { retryable: false })], 6)).toThrow('never a copy')
  }
})

test('a record that is refused though its fate is unknown is tried on, until it is known', () => {
  const state = stateOf()
  state.attempted([failure(2, { retryable: false, effect: 'unknown' })], 5)
  expect([state.refusedCount, state.isPending(2)]).toEqual([0, true])
  state.attempted([failure(2, { retryable: false })], 6)
  expect([state.refusedCount, state.isPending(2)]).toEqual([1, false])
})

test('an attempt took effect where a record arrived or may have', () => {
  const tookEffect = (attempt: (state: OutputState) => void): boolean => {
    const state = stateOf()
    attempt(state)
    return state.tookEffect
  }
  const all = [2, 3, 4, 5]
  const none = all.map((ordinal) => failure(ordinal))
  expect(tookEffect((state) => state.attempted(none, 1))).toBe(false)
  expect(tookEffect((state) => state.attempted(none.slice(1), 1))).toBe(true)
  const unclear = all.map((ordinal) => failure(ordinal, { effect: 'unknown' }))
  expect(tookEffect((state) => state.attempted(unclear, 1))).toBe(true)
  expect(tookEffect((state) => state.failed(error(true, 'none'), 1))).toBe(false)
  expect(tookEffect((state) => state.failed(error(true, 'unknown'), 1))).toBe(true)
})

test('reprieved, what was refused is pending again', () => {
  const state = stateOf()
  state.attempted([failure(2, { retryable: false, errorCode: '400' })], 5)
  state.reprieve()
  expect([state.refusedCount, state.isPending(2), state.isPending(3)]).toEqual([0, true, false])
  expect(state.lastFailure?.errorCode).toBe('400')
})

test('attempts under a thawed manifest are counted on', () => {
  const state = stateOf({ thawedAttempts: 3 })
  state.attempted([failure(2, { retryable: false })], 5)
  expect(state.frozen().progress).toMatchObject({ attempts: 4, refused: [{ attempts: 4 }] })
})

test('error records of processors are no records of the destination: they are not refused', () => {
  const errors: FrozenOutput = { ...frozen, kind: 'processing-failed', accounting: 'errored' }
  const state = stateOf({ frozen: errors })
  state.failed(error(true, 'none'), 1)
  state.giveUp()
  expect([state.mayRefuse, state.refusedCount, state.isDone]).toEqual([false, 0, false])
})
