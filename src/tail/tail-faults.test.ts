/**
 * Any course of writing, rotation, faults and crashes: every whole line is sent, in order, and again
 * only where an answer was lost.
 */
import { appendFileSync, copyFileSync, existsSync, renameSync, rmSync, truncateSync } from 'node:fs'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { TailFolder } from '../../test/fakes/tail-run.ts'

const STEPS = ['append', 'append', 'begin line', 'rename', 'copy and truncate', 'delete'] as const
type StepName = (typeof STEPS)[number]
/** `lost` and `crash after`: the records are in, and the answer does not arrive. */
const FATES = ['ok', 'ok', 'refused in part', 'failed', 'lost', 'crash', 'crash after'] as const
type Fate = (typeof FATES)[number]

/** Who writes `app.log`, a line for each number, and rotates it. */
class Writer {
  readonly #folder: TailFolder
  readonly #isAllSent: () => boolean
  lineCount = 0
  #isLineOpen = false

  constructor(folder: TailFolder, isAllSent: () => boolean) {
    this.#folder = folder
    this.#isAllSent = isAllSent
  }

  do(step: StepName): void {
    const log = this.#folder.at('app.log')
    if (step === 'begin line') this.#beginLine()
    else if (step === 'append') {
      for (let count = 0; count < 3; count += 1) this.#endLine()
    } else {
      if (this.#isLineOpen) this.#endLine()
      if (step === 'rename') this.#shift(0)
      // What is truncated or deleted unread is lost; who rotates so waits for a quiet moment.
      else if (this.#isAllSent() && step === 'delete') rmSync(this.#folder.at('app.log.3'), GONE)
      else if (this.#isAllSent() && existsSync(log)) {
        this.#shift(1)
        copyFileSync(log, this.#folder.at('app.log.1'))
        truncateSync(log)
      }
    }
  }

  /** Renames app.log to .1, .1 to .2 and so on, from the first that is to be renamed. */
  #shift(first: 0 | 1): void {
    const name = (index: number): string =>
      this.#folder.at(index === 0 ? 'app.log' : `app.log.${index}`)
    let count: number = first
    while (existsSync(name(count))) count += 1
    for (let index = count; index > first; index -= 1) renameSync(name(index - 1), name(index))
  }

  #beginLine(): void {
    if (this.#isLineOpen) return
    appendFileSync(this.#folder.at('app.log'), `line ${this.lineCount}`)
    this.#isLineOpen = true
  }

  #endLine(): void {
    this.#beginLine()
    appendFileSync(this.#folder.at('app.log'), '\n')
    this.#isLineOpen = false
    this.lineCount += 1
  }
}

const GONE = { force: true }

interface Moment {
  readonly steps: readonly StepName[]
  /** SIGTERM comes first: what the writer does next, nobody sees. */
  readonly isStopped: boolean
}

/** @param course what the writer does between one idle look and the next, each time */
async function play(course: readonly Moment[], fates: readonly Fate[]): Promise<void> {
  using folder = new TailFolder()
  const writer = new Writer(folder, () => new Set(folder.accepted).size === writer.lineCount)
  const momentsLeft = [...course]
  const fatesLeft = [...fates]
  /** Lines whose position is entered. */
  const settled = new Set<string>()
  let repeated: string[] = []
  folder.answer = (lines) => {
    repeated = [...repeated, ...lines.filter((line) => settled.has(line))]
    const fate = fatesLeft.shift() ?? 'ok'
    if (fate === 'refused in part') return lines.flatMap((_, index) => (index % 2 ? [index] : []))
    if (fate.startsWith('crash')) folder.end()
    if (fate === 'lost' || fate === 'crash after') folder.accepted.push(...lines)
    if (fate !== 'ok') throw new Error(fate)
    for (const line of [...folder.accepted, ...lines]) settled.add(line)
    return []
  }
  let gapCount = 0
  const goOn = (): void => {
    if (momentsLeft[0]?.isStopped === true) return folder.end()
    for (const step of momentsLeft.shift()?.steps ?? []) writer.do(step)
  }
  while (momentsLeft.length > 0) {
    // While nobody looks.
    for (const step of momentsLeft.shift()?.steps ?? []) writer.do(step)
    gapCount += (
      await folder.run(
        ['app.log*'],
        {},
        momentsLeft.map(() => goOn),
      )
    ).gapCount
  }
  fatesLeft.length = 0
  await folder.run(['app.log*'])

  const written = Array.from({ length: writer.lineCount }, (_, index) => `line ${index}`)
  expect([...new Set(folder.requests.flat())]).toEqual(written)
  expect(new Set(folder.accepted)).toEqual(new Set(written))
  expect(repeated).toEqual([])
  const mayRepeat = fates.some((fate) => fate === 'lost' || fate.startsWith('crash'))
  const doubled = folder.accepted.filter((line, index) => folder.accepted.indexOf(line) < index)
  expect(mayRepeat ? [] : doubled).toEqual([])
  expect(mayRepeat ? 0 : gapCount).toBe(0)
}

const moment = fc.record({
  steps: fc.array(fc.constantFrom(...STEPS), { minLength: 1, maxLength: 4 }),
  isStopped: fc.nat(3).map((number) => number === 0),
})
const courses = {
  moments: fc.array(moment, { minLength: 1, maxLength: 10 }),
  fates: fc.array(fc.constantFrom(...FATES), { maxLength: 12 }),
  harmless: fc.array(fc.constantFrom<Fate>('ok', 'failed'), { maxLength: 6 }),
}

test('every whole line is sent in order, and again only where its answer was lost', async () => {
  await fc.assert(fc.asyncProperty(courses.moments, courses.fates, play), { numRuns: 150 })
})

test('without faults every line is sent once', async () => {
  await fc.assert(fc.asyncProperty(courses.moments, courses.harmless, play), { numRuns: 50 })
})
