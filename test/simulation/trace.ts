import { hash32 } from './chance.ts'

/** Lines kept for a report. */
const LINES_KEPT = 60

/** What happened, in order: the hash of all of it, and the latest lines to show at a failure. */
export class Trace {
  #hash = hash32('')
  readonly #lines: string[] = []
  #count = 0
  readonly #echo: boolean

  /** @param echo prints every line as it comes */
  constructor(echo = false) {
    this.#echo = echo
  }

  note(atMs: number, text: string): void {
    const line = `${atMs.toFixed(3)} ${text}`
    this.#hash = hash32(line, this.#hash)
    this.#lines[this.#count % LINES_KEPT] = line
    this.#count += 1
    if (this.#echo) process.stdout.write(`${line}\n`)
  }

  get hash(): string {
    return `${this.#count}-${this.#hash.toString(16)}`
  }

  latest(): string {
    const start = this.#count % LINES_KEPT
    return [...this.#lines.slice(start), ...this.#lines.slice(0, start)].join('\n')
  }
}
