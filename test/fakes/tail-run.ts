/**
 * `standpipe tail` in one process, on real files, with a service that answers as the test says and a
 * clock that never waits: each time nothing is left to send, the next step of the test happens.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import { PositionFile } from '../../src/tail/position-file.ts'
import type { Positions } from '../../src/tail/position-file.ts'
import type { Refusal } from '../../src/tail/record-sender.ts'
import { tail } from '../../src/tail/tail.ts'
import type { TailOptions, TailSummary } from '../../src/tail/tail.ts'

/** Idle looks after the last step, so that what it did is seen, and what waits a while too. */
const LAST_LOOKS = 3

export type Step = () => void
/** What becomes of a request: indexes that are refused, or an error that is thrown. */
export type Answer = (records: readonly string[]) => readonly number[]

/** Sleeps take no time, and time passes by sleeping only. */
class InstantClock implements Clock {
  readonly #onSleep: Step
  #ms = 1_000

  constructor(onSleep: Step) {
    this.#onSleep = onSleep
  }

  nowMs(): number {
    return this.#ms
  }

  monotonicMs(): number {
    return this.#ms
  }

  async sleep(durationMs: number): Promise<void> {
    this.#onSleep()
    this.advance(durationMs)
    await turn()
  }

  advance(durationMs: number): void {
    this.#ms += durationMs
  }

  random(): number {
    return 0.5
  }

  randomBytes(count: number): Buffer {
    return randomBytes(count)
  }
}

export class TailFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'standpipe-tail-'))
  readonly clock = new InstantClock(() => this.onBackoff())
  /** Every request, also of earlier runs, and whatever became of it. */
  readonly requests: string[][] = []
  /** What was accepted, in this order, by all runs. */
  readonly accepted: string[] = []
  /** Messages of warnings and errors. */
  readonly complaints: string[] = []
  /** What happened in which order: requests, answers, and positions that were written. */
  readonly events: string[] = []
  answer: Answer = () => []
  /** Called with each sleep while records wait to be accepted. */
  onBackoff: Step = () => {}
  #ending = new AbortController()

  at(name: string): string {
    return join(this.path, name)
  }

  get statePath(): string {
    return this.at('state/positions.json')
  }

  positions(): Positions {
    return JSON.parse(readFileSync(this.statePath, 'utf8')) as Positions
  }

  /** As SIGTERM does. */
  end(): void {
    this.#ending.abort()
  }

  /** Runs until all steps are done, or until it ends itself. */
  async run(
    patterns: readonly string[],
    options: Partial<TailOptions> = {},
    steps: readonly Step[] = [],
  ): Promise<TailSummary> {
    this.#ending = new AbortController()
    const left = [...steps]
    let looksLeft = LAST_LOOKS
    const idle = async (durationMs: number): Promise<void> => {
      const step = left.shift()
      if (step !== undefined) step()
      else if (looksLeft > 0) looksLeft -= 1
      else this.end()
      this.clock.advance(durationMs)
      await turn()
    }
    const file = await PositionFile.open(this.statePath)
    const positions = {
      read: (streamName: string) => file.read(streamName),
      write: async (written: Positions) => {
        await file.write(written)
        this.events.push(`positions ${written.files.map(({ offset }) => offset).join(' ')}`)
      },
    }
    try {
      return await tail(
        {
          streamName: 'logs',
          patterns: patterns.map((pattern) => this.at(pattern)),
          from: 'start',
          once: false,
          skipHeaderLines: 0,
          startsRecord: undefined,
          flushPartialMs: undefined,
          convert: (record) => record,
          keepUnmatched: false,
          keepNewline: false,
          ...options,
        },
        {
          sender: { send: (records) => this.#send(records) },
          positions,
          changes: { watch: () => {}, wait: idle, close: () => {} },
          clock: this.clock,
          logger: this.#logger(),
        },
        this.#ending.signal,
      )
    } finally {
      file.close()
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true })
  }

  async #send(records: readonly Buffer[]): Promise<readonly Refusal[]> {
    await turn()
    const texts = records.map(String)
    this.requests.push(texts)
    this.events.push(`request ${texts.join(' ')}`)
    const refused = this.answer(texts)
    this.accepted.push(...texts.filter((_, index) => !refused.includes(index)))
    this.events.push('answer')
    return refused.map((index) => ({ index, reason: 'ServiceUnavailableException: Slow down.' }))
  }

  #logger(): Logger {
    const complain = (_: object, message: string): void => void this.complaints.push(message)
    return { debug: () => {}, info: () => {}, warn: complain, error: complain }
  }
}
