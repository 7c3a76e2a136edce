import { expect, test } from 'vitest'
import type { Entry } from './entry-record.ts'
import { ReadSize } from './read-size.ts'

function entries(count: number, bytes: number): Entry[] {
  const fields = [{ name: '', value: Buffer.alloc(bytes) }]
  return Array.from({ length: count }, () => ({ id: '1-1', fields }))
}

test('more are asked for, step by step, while they are small', () => {
  const size = new ReadSize(1_000_000)
  const counts = Array.from({ length: 5 }, () => {
    size.learn(entries(1, 10))
    return size.count
  })
  expect(counts).toEqual([64, 256, 1_000, 1_000, 1_000])
})

test('as many are asked for as the largest allows, which is remembered for a while', () => {
  const size = new ReadSize(1_000_000)
  size.learn([...entries(5, 10), ...entries(1, 100_000)])
  expect(size.count).toBe(10)
  size.learn(entries(10, 10))
  expect(size.count).toBe(11)
  for (let read = 0; read < 100; read += 1) size.learn(entries(10, 10))
  expect(size.count).toBe(1_000)
})

test('one is asked for, however large', () => {
  const size = new ReadSize(1_000)
  size.learn(entries(1, 5_000))
  expect(size.count).toBe(1)
})

test('a read that brought nothing changes nothing', () => {
  const size = new ReadSize(1_000)
  size.learn([])
  expect(size.count).toBe(16)
})
