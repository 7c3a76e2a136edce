/** A function's console, bounded in the length of its lines and in their number per second. */
import { Console } from 'node:console'
import { Writable } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import type { ThreadLog } from './thread-protocol.ts'

const LINE_CHARACTERS_MAX = 2_000
const LINES_PER_SECOND_MAX = 100
const SECOND_MS = 1_000

export type WriteLog = (level: ThreadLog['level'], text: string) => void

/** Passes on so many lines a second; of the others it tells the number, with the next line. */
export class BoundedLog {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #write: WriteLog
  #secondStartMs: number
  #lineCount = 0
  #leftOutCount = 0

  constructor(clock: Pick<Clock, 'monotonicMs'>, write: WriteLog) {
    this.#clock = clock
    this.#write = write
    this.#secondStartMs = clock.monotonicMs()
  }

  readonly write: WriteLog = (level, text) => {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#secondStartMs >= SECOND_MS) {
      this.#secondStartMs = nowMs
      this.#lineCount = 0
    }
    this.#lineCount += 1
    if (this.#lineCount > LINES_PER_SECOND_MAX) {
      this.#leftOutCount += 1
      return
    }
    if (this.#leftOutCount > 0) {
      this.#write('warn', `${this.#leftOutCount} lines were left out: too many a second`)
      this.#leftOutCount = 0
    }
    this.#write(level, bounded(text))
  }
}

/** Makes `console` and the standard streams of this thread write to a log, line by line. */
export function redirectConsole(write: WriteLog): void {
  const stdout = lineStream((line) => write('info', line))
  const stderr = lineStream((line) => write('warn', line))
  process.stdout.write = stdout.write.bind(stdout) as typeof process.stdout.write
  process.stderr.write = stderr.write.bind(stderr) as typeof process.stderr.write
  globalThis.console = new Console({ stdout, stderr })
}

function lineStream(writeLine: (line: string) => void): Writable {
  let begun = ''
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      const lines = (begun + String(chunk)).split('\n')
      begun = bounded(lines.pop() ?? '')
      for (const line of lines) writeLine(line)
      done()
    },
  })
}

function bounded(text: string): string {
  return text.length <= LINE_CHARACTERS_MAX ? text : `${text.slice(0, LINE_CHARACTERS_MAX)}…`
}
