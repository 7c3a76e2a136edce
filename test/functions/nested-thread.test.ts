import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { FunctionFixture } from '../fakes/function-fixtures.ts'

test('a thread may use functions; it ends by itself, and none of them ends the process', async () => {
  await using fixture = new FunctionFixture({
    'hoards.mjs':
      'export const handler = async () => { const held = []; while (true) held.push(1) }',
    'answers.mjs': 'export const handler = async () => [process.pid]',
  })
  const worker = new Worker(new URL('nested-thread.ts', import.meta.url), {
    workerData: fixture.directory,
  })
  const [[outcomes], [exitCode]] = await Promise.all([
    once(worker, 'message'),
    once(worker, 'exit'),
  ])
  expect(exitCode).toBe(0)
  expect(outcomes).toEqual([
    'InvocationError: Runtime.OutOfMemory: the function held more than 128 MiB',
    `[${process.pid}]`,
  ])
})
