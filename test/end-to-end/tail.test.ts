/** The real command before the real service, both killed while files are written and rotated. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, copyFileSync, renameSync, statSync, truncateSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Positions } from '../../src/tail/position-file.ts'
import { eventually, Service } from './harness.ts'
import { folderObjects } from './objects.ts'
import { bucketOf, smallStream } from './streams.ts'

const BIN = fileURLToPath(new URL('../../bin/standpipe.js', import.meta.url))
const ROUNDS = 12
const LINES_A_ROUND = 2_000
/** Of PutRecordBatch: what a killed tail may send again. */
const BATCH_RECORDS_MAX = 500

/** `standpipe tail` as a process. */
class TailProcess implements AsyncDisposable {
  readonly #words: readonly string[]
  #child: ReturnType<typeof spawn> | undefined
  log = ''

  constructor(words: readonly string[]) {
    this.#words = words
  }

  start(): void {
    const child = spawn(process.execPath, [BIN, 'tail', ...this.#words], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child.stderr?.on('data', (text: Buffer) => (this.log += text.toString()))
    this.#child = child
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#child
    if (child === undefined) return null
    const closed = once(child, 'close')
    child.kill(signal)
    await closed
    this.#child = undefined
    return child.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
  }
}

test('every line arrives through rotation, kill -9 of tail and kill -9 of the service', async () => {
  await using service = await Service.start()
  await smallStream(service.client(), 'logs', {})
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-tail-end-'))
  const log = join(folder, 'app.log')
  const state = join(folder, 'state.json')
  const words = [`${log}*`, '--stream', 'logs', '--endpoint', service.url]
  await using tail = new TailProcess([...words, '--from', 'start', '--state', state])
  tail.start()

  let lineCount = 0
  let killCount = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let part = 0; part < 20; part += 1) {
      const lines = Array.from({ length: LINES_A_ROUND / 20 }, (_, index) => lineCount + index)
      appendFileSync(log, lines.map((number) => `line ${number}\n`).join(''))
      lineCount += lines.length
      await sleep(20)
    }
    if (round % 3 === 0) renameSync(log, `${log}.${round}`)
    if (round % 4 === 1) {
      await tail.end('SIGKILL')
      killCount += 1
      tail.start()
    }
    if (round === 6) {
      await service.kill()
      killCount += 1
      await service.start()
    }
  }
  // Copied and truncated once all of it is acknowledged.
  await eventually('all of the file is acknowledged', 60_000, async () => {
    const { files } = JSON.parse(await readFile(state, 'utf8')) as Positions
    const offset = files.find(({ path }) => path === log)?.offset
    return offset === statSync(log).size ? true : undefined
  })
  copyFileSync(log, `${log}.1`)
  truncateSync(log)
  appendFileSync(log, `line ${lineCount}\n`)
  lineCount += 1

  const expected = Array.from({ length: lineCount }, (_, number) => `line ${number}`)
  const bucket = join(service.dataDir, 'buckets', bucketOf('logs'))
  const delivered = await eventually('every line is delivered', 90_000, async () => {
    const objects = await folderObjects(bucket)
    const lines = objects.flatMap(({ bytes }) => bytes.toString().split('\n').slice(0, -1))
    return new Set(lines).size >= lineCount ? lines : undefined
  })
  expect(await tail.end('SIGTERM'), tail.log.slice(-2_000)).toBe(0)
  expect([...new Set(delivered)].toSorted()).toEqual(expected.toSorted())
  expect(delivered.length - lineCount).toBeLessThanOrEqual(killCount * BATCH_RECORDS_MAX)
  await rm(folder, { recursive: true })
})
