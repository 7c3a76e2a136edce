import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../base/clock.ts'
import { DirectoryWatch } from './directory-watch.ts'

const NEVER = new AbortController().signal
const LONG_MS = 20_000

test('a change of a watched file wakes who waits, once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'standpipe-watch-'))
  const watch = new DirectoryWatch(systemClock)
  watch.watch([join(folder, 'app.log')])
  const startMs = performance.now()
  const woken = watch.wait(LONG_MS, NEVER)
  appendFileSync(join(folder, 'app.log'), 'a\n')
  await woken
  expect(performance.now() - startMs).toBeLessThan(LONG_MS / 2)
  const again = performance.now()
  await watch.wait(200, NEVER)
  expect(performance.now() - again).toBeGreaterThan(150)
  watch.close()
})

test('waiting ends with the time and with the signal, where nothing can be watched too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'standpipe-watch-'))
  const watch = new DirectoryWatch(systemClock)
  rmSync(folder, { recursive: true })
  watch.watch([join(folder, 'app.log')])
  const startMs = performance.now()
  await watch.wait(1, NEVER)
  await watch.wait(LONG_MS, AbortSignal.abort())
  expect(performance.now() - startMs).toBeLessThan(LONG_MS / 2)
  watch.close()
})
