import { setImmediate } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { inOrder } from './in-order.ts'

const NEVER = new AbortController().signal

async function* counting(count: number, taken: number[] = []): AsyncGenerator<number> {
  for (let item = 0; item < count; item += 1) {
    taken.push(item)
    yield item
  }
}

test('results come in the order of the items, whichever work ends first', async () => {
  const work = Array.from({ length: 4 }, () => Promise.withResolvers<void>())
  const ended: number[] = []
  const results = inOrder(counting(4), 4, NEVER, async (item) => {
    await work[item]?.promise
    ended.push(item)
    work[item - 1]?.resolve()
    return item
  })
  work[3]?.resolve()
  const inTurn: number[] = []
  for await (const result of results) inTurn.push(result)
  expect(ended).toEqual([3, 2, 1, 0])
  expect(inTurn).toEqual([0, 1, 2, 3])
})

test('no more is started than may be outstanding, and nothing runs ahead of its consumer', async () => {
  const taken: number[] = []
  const results = inOrder(counting(10, taken), 3, NEVER, async (item) => item)
  expect(taken).toEqual([])
  expect(await results.next()).toEqual({ value: 0, done: false })
  expect(taken).toEqual([0, 1, 2])
  expect(await results.next()).toEqual({ value: 1, done: false })
  expect(taken).toEqual([0, 1, 2, 3])
  await results.return()
  expect(taken).toEqual([0, 1, 2, 3])
})

/** Work that lasts until it is aborted, and a little longer. */
async function untilAborted(signal: AbortSignal, ended: () => void): Promise<never> {
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve())
  await promise
  await setImmediate()
  ended()
  throw new Error('aborted')
}

test('a failure is thrown in its turn, and what is left is aborted and over by then', async () => {
  let endedCount = 0
  const results = inOrder(counting(10), 4, NEVER, async (item, signal) => {
    if (item === 0) return 'done'
    if (item === 1) throw new Error('broken')
    return await untilAborted(signal, () => (endedCount += 1))
  })
  expect(await results.next()).toEqual({ value: 'done', done: false })
  await expect(results.next()).rejects.toThrow('broken')
  expect(endedCount).toBe(3)
})

test('a failure waits for its turn without being an unhandled rejection', async () => {
  const results = inOrder(counting(2), 2, NEVER, async (item) => {
    if (item === 1) throw new Error('broken')
    await setImmediate()
    return 'done'
  })
  expect(await results.next()).toEqual({ value: 'done', done: false })
  await expect(results.next()).rejects.toThrow('broken')
})

test('a consumer that stops asking ends the work that is left, and the source', async () => {
  let endedCount = 0
  const sourceEnded = vi.fn<() => void>()
  async function* source(): AsyncGenerator<number> {
    try {
      yield* counting(10)
    } finally {
      sourceEnded()
    }
  }
  const results = inOrder(source(), 3, NEVER, async (item, signal) =>
    item === 0 ? 'done' : await untilAborted(signal, () => (endedCount += 1)),
  )
  for await (const result of results) {
    expect(result).toBe('done')
    break
  }
  expect(endedCount).toBe(2)
  expect(sourceEnded).toHaveBeenCalledOnce()
})

test('a source that fails ends the work under way', async () => {
  let endedCount = 0
  async function* source(): AsyncGenerator<number> {
    yield 0
    throw new Error('unreadable')
  }
  const results = inOrder(source(), 3, NEVER, (_, signal) =>
    untilAborted(signal, () => (endedCount += 1)),
  )
  await expect(results.next()).rejects.toThrow('unreadable')
  expect(endedCount).toBe(1)
})

test("the caller's signal reaches the work", async () => {
  const aborting = new AbortController()
  const results = inOrder(counting(1), 3, aborting.signal, async (_, signal) => {
    const work = untilAborted(signal, () => {})
    aborting.abort()
    return await work
  })
  await expect(results.next()).rejects.toThrow('aborted')
})
