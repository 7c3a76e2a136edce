import { expect, test } from 'vitest'
import { BufferPool } from './buffer-pool.ts'
import { Copies } from './copies.ts'

test('a copy is as its original was, whatever becomes of that, and of any size', () => {
  const copies = new Copies()
  const sizes = [0, 1, 1_000, 60_000, 60_000, 100_000, 60_000, 60_000, 60_000, 300_000, 1]
  const copied = sizes.map((size, index) => {
    const original = Buffer.alloc(size, index)
    const copy = copies.copy(original)
    original.fill(0xff)
    return copy
  })
  expect(copied).toEqual(sizes.map((size, index) => Buffer.alloc(size, index)))
})

test('small copies share memory', () => {
  const copies = new Copies()
  const memories = Array.from({ length: 1_000 }, () => copies.copy(Buffer.alloc(1_000)).buffer)
  expect(new Set(memories).size).toBe(4)
})

test('what is released is used again', () => {
  const copies = new Copies(new BufferPool())
  const { buffer } = copies.copy(Buffer.from('before'))
  copies.release()
  expect(copies.copy(Buffer.from('after')).buffer).toBe(buffer)
})
