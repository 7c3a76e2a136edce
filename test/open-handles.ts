/**
 * Fails a test file that leaves a child process, a server or a worker thread open. Runs in every test
 * file (see vitest.config.ts). Sockets and timers are left to end by themselves.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { afterAll } from 'vitest'

const KINDS = new Set(['ProcessWrap', 'TCPServerWrap', 'PipeServerWrap'])
const CLOSING_MS_MAX = 2_000

const workers = new Set<Worker>()
process.on('worker', (worker) => {
  workers.add(worker)
  worker.once('exit', () => workers.delete(worker))
})

afterAll(async () => {
  const deadlineMs = performance.now() + CLOSING_MS_MAX
  while (openHandles().length > 0 && performance.now() < deadlineMs) await sleep(20)
  const left = openHandles()
  if (left.length > 0) throw new Error(`Tests left something open: ${left.join(', ')}`)
})

function openHandles(): string[] {
  const resources = process.getActiveResourcesInfo().filter((kind) => KINDS.has(kind))
  return [...resources, ...[...workers].map(({ threadId }) => `Worker ${threadId}`)]
}
