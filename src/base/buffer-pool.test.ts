import { expect, test } from 'vitest'
import { BufferPool } from './buffer-pool.ts'

const MIB = 1024 * 1024

test('a large buffer that was given back is taken again, at the size that is asked for', () => {
  const pool = new BufferPool()
  const first = pool.take(700_000)
  pool.give(first)
  const second = pool.take(600_000)
  expect(second.buffer).toBe(first.buffer)
  expect(second.byteLength).toBe(600_000)
  expect(pool.take(600_000).buffer).not.toBe(first.buffer)
})

test('two buffers in use never share memory', () => {
  const pool = new BufferPool()
  const buffers = Array.from({ length: 20 }, () => pool.take(MIB))
  expect(new Set(buffers.map(({ buffer }) => buffer)).size).toBe(20)
})

test('buffers from elsewhere and small ones are not kept', () => {
  const pool = new BufferPool()
  pool.give(Buffer.alloc(MIB))
  const small = pool.take(100)
  pool.give(small)
  expect(pool.take(100).buffer === small.buffer && small.byteOffset === 0).toBe(false)
})

test('a buffer that is freed has no memory any more, and is not taken again', () => {
  const pool = new BufferPool()
  const buffer = pool.take(MIB)
  pool.free(buffer)
  expect(buffer.byteLength).toBe(0)
  expect(pool.take(MIB).byteLength).toBe(MIB)
})

test('what lies idle is bounded', () => {
  const pool = new BufferPool()
  const buffers = Array.from({ length: 40 }, () => pool.take(MIB))
  for (const buffer of buffers) pool.give(buffer)
  const again = Array.from({ length: 40 }, () => pool.take(MIB).buffer)
  const kept = again.filter((memory) => buffers.some(({ buffer }) => buffer === memory))
  expect(kept).toHaveLength(32)
})
