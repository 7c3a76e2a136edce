import { describe, expect, test } from 'vitest'
import type { Json } from '../../src/base/json.ts'
import { DeliveryError } from '../../src/destination.ts'
import { readBulkAnswer } from './bulk-answer.ts'

const DOCUMENTS = [7, 9].map((ordinal) => ({ ordinal, lines: Buffer.alloc(0) }))

function item(status: number, type?: string): Json {
  const error = type === undefined ? {} : { error: { type, reason: 'because' } }
  return { create: { status, ...error } }
}

function answer(items: readonly Json[]) {
  return { status: 200, body: { items } }
}

function thrownBy(act: () => unknown): Partial<DeliveryError> {
  try {
    act()
  } catch (error) {
    if (!(error instanceof DeliveryError)) throw error
    const { errorCode, message, retryable, effect, brake } = error
    return { errorCode, message, retryable, effect, brake }
  }
  throw new Error('nothing was thrown')
}

test('documents that are there, or were there already, have arrived', () => {
  const items = [item(201), item(409, 'version_conflict_engine_exception')]
  expect(readBulkAnswer(answer(items), DOCUMENTS)).toEqual([])
})

test.each([
  [400, 'mapper_parsing_exception', { retryable: false, effect: 'none' }],
  [429, 'rejected_execution_exception', { retryable: true, effect: 'none' }],
  [500, 'exception', { retryable: true, effect: 'unknown' }],
  [503, 'unavailable_shards_exception', { retryable: true, effect: 'none' }],
  [403, 'cluster_block_exception', { retryable: true, effect: 'none' }],
  [400, 'index_closed_exception', { retryable: true, effect: 'none' }],
])('a document left behind with %d %s beside one that arrived', (status, type, fate) => {
  expect(readBulkAnswer(answer([item(201), item(status, type)]), DOCUMENTS)).toEqual([
    {
      ordinal: 9,
      errorCode: String(status),
      errorMessage: `Cannot index: ${type}: because`,
      ...fate,
    },
  ])
})

test('a conflict of a document without an id says nothing: it is tried again', () => {
  const items = [item(201), { index: { status: 409 } }]
  expect(readBulkAnswer(answer(items), DOCUMENTS)).toEqual([
    {
      ordinal: 9,
      errorCode: '409',
      errorMessage: 'Cannot index: status 409',
      retryable: true,
      effect: 'none',
    },
  ])
})

describe('the brake', () => {
  test.each([
    [403, 'cluster_block_exception'],
    [404, 'index_not_found_exception'],
    [400, 'index_closed_exception'],
    [400, 'validation_exception'],
  ])('is set when all documents get %d %s', (status, type) => {
    const items = [item(status, type), item(status, type)]
    expect(thrownBy(() => readBulkAnswer(answer(items), DOCUMENTS))).toEqual({
      errorCode: String(status),
      message: `Cannot index: ${type}: because`,
      retryable: true,
      effect: 'none',
      brake: true,
    })
  })

  test('is not set by documents that do not fit the mapping', () => {
    const items = [item(400, 'mapper_parsing_exception'), item(400, 'mapper_parsing_exception')]
    expect(readBulkAnswer(answer(items), DOCUMENTS).map(({ retryable }) => retryable)).toEqual([
      false,
      false,
    ])
  })
})

test.each([
  [400, undefined, { effect: 'none', brake: true }],
  [401, undefined, { effect: 'none', brake: true }],
  [403, { error: { type: 'security_exception', reason: 'no' } }, { effect: 'none', brake: true }],
  [408, undefined, { effect: 'unknown', brake: false }],
  [429, undefined, { effect: 'none', brake: false }],
  [502, undefined, { effect: 'unknown', brake: false }],
  [
    503,
    { error: { type: 'cluster_block_exception', reason: 'no' } },
    { effect: 'none', brake: false },
  ],
])('a request that is answered with %d', (status, body, fate) => {
  const error = thrownBy(() => readBulkAnswer({ status, body }, DOCUMENTS))
  expect(error).toMatchObject({ errorCode: String(status), retryable: true, ...fate })
})

test('how long the server asks to wait is told', () => {
  const busy = { status: 429, body: undefined, retryAfterMs: 3_000 }
  expect(() => readBulkAnswer(busy, DOCUMENTS)).toThrow(
    expect.objectContaining({ retryAfterMs: 3_000 }),
  )
})

test.each<[string, Json | undefined]>([
  ['no JSON', undefined],
  ['no items', { took: 1 }],
  ['an item too few', { items: [item(201)] }],
])('success with %s says nothing', (_what, body) => {
  expect(thrownBy(() => readBulkAnswer({ status: 200, body }, DOCUMENTS))).toMatchObject({
    errorCode: 'OS.InvalidResponse',
    retryable: true,
    effect: 'unknown',
    brake: false,
  })
})

test('a message is cut where it grows long', () => {
  const error = { type: 'mapper_parsing_exception', reason: 'x'.repeat(100_000) }
  const [failure] = readBulkAnswer(
    answer([item(201), { create: { status: 400, error } }]),
    DOCUMENTS,
  )
  expect(failure?.errorMessage.length).toBeLessThan(1_100)
})
