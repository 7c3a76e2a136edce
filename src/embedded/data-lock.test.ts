import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DataLock } from './data-lock.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'standpipe-lock-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('a data directory is for one at a time', () => {
  const lock = DataLock.acquire(directory)
  expect(() => DataLock.acquire(directory)).toThrow(
    `Cannot use data directory ${directory}: another Standpipe process is using it`,
  )
  lock.release()
  DataLock.acquire(directory).release()
})

test('a process that is killed leaves no lock behind', async () => {
  const program = `
    import { DataLock } from ${JSON.stringify(new URL('./data-lock.ts', import.meta.url).href)}
    globalThis.lock = DataLock.acquire(${JSON.stringify(directory)})
    process.stdout.write('held')
    setInterval(() => {}, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', program])
  await once(holder.stdout, 'data')
  expect(() => DataLock.acquire(directory)).toThrow('another Standpipe process')
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  DataLock.acquire(directory).release()
})
