import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { BufferPool } from '../base/buffer-pool.ts'
import { BodyBudget, BodyReader, RequestAborted } from './body.ts'

const MIB = 1024 * 1024

/** Remembers what it gave. */
class WatchedPool extends BufferPool {
  readonly taken: Buffer[] = []

  override take(sizeBytes: number): Buffer {
    const buffer = super.take(sizeBytes)
    this.taken.push(buffer)
    return buffer
  }
}

test('of a body that breaks off nothing is held: neither of the budget nor memory', async () => {
  const pool = new WatchedPool()
  const budget = new BodyBudget(MIB)
  const reader = new BodyReader(budget, pool)
  const request = new PassThrough()
  const body = reader.read(request as unknown as IncomingMessage, MIB, MIB)
  const arrived = once(request, 'data')
  request.write(Buffer.alloc(100))
  await arrived
  expect(budget.heldBytes).toBe(100)
  request.destroy()
  await expect(body).rejects.toThrow(RequestAborted)
  reader.release()
  expect({ heldBytes: budget.heldBytes, memory: pool.taken.map((one) => one.byteLength) }).toEqual({
    heldBytes: 0,
    memory: [0],
  })
})
