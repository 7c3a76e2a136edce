import { expect, test } from 'vitest'
import { ReadSize } from './read-size.ts'

function sizes(count: number, bytes: number): number[] {
  return Array.from({ length: count }, () => bytes)
}

test('more are asked for, step by step, while they are small', () => {
  const size = new ReadSize(1_000_000, 1_000)
  expect(size.count).toBe(1)
  const counts = Array.from({ length: 5 }, () => {
    size.learn([10])
    return size.count
  })
  expect(counts).toEqual([4, 16, 64, 256, 1_000])
})

test('as many are asked for as the largest allows, which is remembered for a while', () => {
  const size = new ReadSize(1_000_000, 1_000)
  for (let read = 0; read < 4; read += 1) size.learn(sizes(10, 10))
  size.learn([...sizes(5, 10), 100_000])
  expect(size.count).toBe(10)
  size.learn(sizes(10, 10))
  expect(size.count).toBe(11)
  for (let read = 0; read < 100; read += 1) size.learn(sizes(10, 10))
  expect(size.count).toBe(1_000)
})

test('one is asked for, however large', () => {
  const size = new ReadSize(1_000, 1_000)
  size.learn([5_000])
  expect(size.count).toBe(1)
})

test('a read that brought nothing changes nothing', () => {
  const size = new ReadSize(1_000, 1_000)
  size.learn([])
  expect(size.count).toBe(1)
})
